import type { ClientChance, ClientClock } from './client-clock.js';
import type { HintSession, HintTransport } from './hints.js';
import type { Stop } from './observed.js';

export interface HintLineParts {
  readonly transport: HintTransport;
  /** Asked for anew with each try: credentials and device ids change. */
  readonly session: () => Promise<HintSession>;
  readonly clock: ClientClock;
  readonly chance: ClientChance;
  readonly retryMs: number;
  readonly mostRetryMs: number;
  /** The line is up or down now. */
  readonly connected: (isUp: boolean) => void;
  /** There may be something to pull. */
  readonly hinted: () => void;
}

/** Keeps a line of hints open, and opens it again, ever later while that fails. */
export function keepHintLine(parts: HintLineParts): { readonly retry: () => void; readonly stop: Stop } {
  const { transport, session, clock, chance, retryMs, mostRetryMs, connected, hinted } = parts;
  let isClosed = false;
  let failures = 0;
  let end: Stop = () => undefined;
  let pause = new AbortController();

  /** @returns when the line is gone */
  async function once(): Promise<void> {
    const asked = await session();
    if (isClosed) return;
    await new Promise<void>((resolve) => {
      const close = transport(
        asked,
        {
          up() {
            failures = 0;
            connected(true);
            // What changed before the line was up is not hinted.
            hinted();
          },
          hint: hinted,
          down(code) {
            // A device that is told to go asks once more, and hears why.
            if (code >= 4_400) hinted();
            resolve();
          },
        },
        clock,
      );
      end = () => {
        close();
        resolve();
      };
    });
  }

  async function keep(): Promise<void> {
    while (!isClosed) {
      // Whatever the transport throws, a hint is never needed: the interval goes on.
      await once().catch(() => undefined);
      connected(false);
      if (isClosed) return;
      failures += 1;
      pause = new AbortController();
      const waitMs = Math.min(mostRetryMs, retryMs * 2 ** (failures - 1)) * (0.5 + chance() / 2);
      await clock.wait(waitMs, pause.signal).catch(() => undefined);
    }
  }

  void keep();
  return {
    retry: () => pause.abort(),
    stop() {
      isClosed = true;
      pause.abort();
      end();
    },
  };
}
