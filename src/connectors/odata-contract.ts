import { orAbort } from './abortable.js';
import type { AnswerView, Credentials } from './credentials.js';
import { CallFault } from './fault.js';
import { readAll, type HttpClient, type HttpHead } from './http-client.js';
import { readMetadata } from './odata-metadata.js';
import { modelOf, type DeclaredModel, type ODataModel } from './odata-model.js';
import type { SourceDeps } from './transport.js';

/** A service's `$metadata`, read once. */
export interface ServiceContract {
  /** @throws CallFault notSent - it cannot be reached or read, or did not come in time: nothing was called */
  model(signal: AbortSignal): Promise<ODataModel>;
  /** It does not have what a connector names: it is read again by and by, since the service may get it while we run. */
  isDoubted(): void;
  close(): void;
}

export interface ContractSettings {
  readonly http: HttpClient;
  /** Path of the `$metadata`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials;
  /** Longest time for reading it, ms. */
  readonly timeoutMs: number;
}

/** A document that does not fit is read again after this long at the earliest: it may be large, and polls are frequent. */
const READ_AGAIN_MS = 60_000;

/** One reading serves all calls; a failed one is forgotten, so that the next call tries again. */
export function createContract(settings: ContractSettings, { clock }: Pick<SourceDeps, 'clock'>): ServiceContract {
  let reading: {
    readonly model: Promise<ODataModel>;
    readonly beganMs: number;
    readonly stop: AbortController;
  } | null = null;
  let isDoubtful = false;

  function begin(): Promise<ODataModel> {
    const stop = new AbortController();
    const timer = new AbortController();
    clock.wait(settings.timeoutMs, timer.signal).then(
      () => stop.abort(),
      () => undefined,
    );
    const model = load(settings, stop.signal).finally(() => timer.abort());
    const begun = { model, beganMs: clock.monotonicMs(), stop };
    reading = begun;
    isDoubtful = false;
    model.catch(() => {
      if (reading === begun) reading = null;
    });
    return model;
  }

  return {
    model(signal) {
      const isOld = reading !== null && isDoubtful && clock.monotonicMs() - reading.beganMs >= READ_AGAIN_MS;
      const model = reading === null || isOld ? begin() : reading.model;
      const late = (): CallFault =>
        new CallFault('notSent', 'the $metadata did not come in time', { cause: signal.reason });
      return orAbort(model, signal, late);
    },
    isDoubted() {
      isDoubtful = true;
    },
    close() {
      reading?.stop.abort();
    },
  };
}

type Loaded = { readonly head: HttpHead; readonly declared: DeclaredModel | null; readonly fault: unknown };

/** Reading it does nothing, whatever comes back. */
const LOADED: AnswerView<Loaded> = {
  seen: ({ head }) => ({ ...head, body: null, message: `status ${head.status}`, code: null }),
  isUndone: () => true,
};

async function load(settings: ContractSettings, signal: AbortSignal): Promise<ODataModel> {
  const { http, path } = settings;
  try {
    const { declared, fault } = await settings.credentials.send(
      (own) =>
        http.exchange(
          { method: 'GET', path, headers: { accept: 'application/xml', ...settings.headers, ...own }, body: null },
          signal,
          async (head, chunks) => {
            // Only an answer with a status may say that our credentials are over; what it holds is looked at afterwards.
            if (head.status !== 200) await readAll(chunks);
            return head.status === 200
              ? { head, declared: await readMetadata(head, chunks), fault: null }
              : { head, declared: null, fault: statusFault(head.status) };
          },
        ),
      LOADED,
      signal,
    );
    if (declared === null) throw fault;
    return modelOf(declared);
  } catch (cause) {
    const { message } = cause as Error;
    throw new CallFault('notSent', `its $metadata cannot be read: ${message}`, {
      cause,
      retryAfterMs: cause instanceof CallFault ? cause.retryAfterMs : null,
      sourceIsSick: cause instanceof CallFault && cause.sourceIsSick,
    });
  }
}

function statusFault(status: number): CallFault {
  return new CallFault('badAnswer', `expected status 200, got ${status}`, { sourceIsSick: status >= 500 });
}
