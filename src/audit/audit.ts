import { AUDITED, type AuditEntry, type AuditPage, type AuditPlace, type AuditStore } from '../core/audit.js';
import { SyncError } from '../core/errors.js';
import type { PushStatus } from '../core/intent.js';
import type { Clock, Log } from '../core/ports.js';
import type { Session } from '../core/session.js';
import { storableText } from '../core/storable-text.js';
import { createNotedEvents } from './noted-events.js';

/** Events that are counted are written this often: one row per user, collection and minute. */
const WRITTEN_EVERY_MS = 60_000;
/** An operator is noted anew after so long. */
const SEEN_FOR_MS = 3_600_000;
/** Operators that are remembered as seen; past that one may be noted more than once an hour. */
const MOST_SEEN = 1_000;
/** Longest text of a row, in characters: ids and names are no longer. */
const MAX_TEXT = 256;
const REFUSED_FOR_SCOPE: ReadonlySet<string> = new Set(['NOT_FOUND', 'FORBIDDEN']);

/** What is asked for and about what: the operation's name, and ids or numbers; never a field value. */
export interface Audited {
  readonly action: string;
  readonly collection?: string;
  readonly subject?: string;
}

/** Whose doing it is; without a user: a command on the store itself. */
export type Actor = Pick<Session, 'tenant' | 'device'> & { readonly user: string | null };

/** The log of who did what, one chain per tenant. */
export interface Audit {
  /**
   * Acts between two rows: one before, without which nothing is done, and one with what came of it.
   *
   * @param outcome what came of it, in a word; absent: `DONE`
   * @throws SyncError UNAVAILABLE - the first row cannot be written; what `act` throws
   */
  around<T>(actor: Actor, what: Audited, act: () => Promise<T>, outcome?: (value: T) => string): Promise<T>;
  /** An operator asks for something: in the log once an hour, before it is answered. @throws SyncError UNAVAILABLE - that cannot be written */
  sawOperator(session: Session): Promise<void>;
  /** What was answered to a push: what of it was refused for its scope is in the log, counted per user, collection and minute. */
  sawAnswers(session: Session, answers: readonly Answer[]): void;
  /** Rows behind a number. @throws SyncError UNAVAILABLE */
  read(tenant: string, request: { readonly after: number; readonly limit: number }): Promise<AuditPage>;
  /** Begins to write what is counted. */
  start(): void;
  /** Writes what is still counted. */
  stop(): Promise<void>;
}

/** What matters of the answer to a pushed change. */
interface Answer {
  readonly collection: string;
  readonly id: string;
  readonly status: PushStatus;
  readonly error: { readonly code: string } | null;
}

/** @param tenant whose chain counted events go to */
export function createAudit(
  { store, clock, log }: { readonly store: AuditStore; readonly clock: Clock; readonly log: Log },
  tenant: string,
): Audit {
  const noted = createNotedEvents();
  const seenAtMs = new Map<string, number>();
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();

  async function append(to: string, entry: AuditEntry): Promise<AuditPlace> {
    const place = await store.appendAudit(to, entry);
    // Where logs are kept apart from the database they hold the heads of its chain.
    log.info('audit', { ...place, action: entry.action, user: entry.user, outcome: entry.outcome });
    return place;
  }

  function writeCounted(): Promise<void> {
    return noted
      .drain(async (entry) => void (await append(tenant, entry)))
      .catch((cause: unknown) => log.warn('the audit log is not written, trying again', { cause: String(cause) }));
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.wait(WRITTEN_EVERY_MS, stopping.signal).catch(() => undefined);
      await writeCounted();
    }
  }

  return {
    async around(actor, { action, collection, subject }, act, outcome = () => 'DONE') {
      const about = {
        user: actor.user,
        device: actor.device,
        action,
        collection: keptText(collection),
        subject: keptText(subject),
        count: 1,
      };
      const { no } = await append(actor.tenant, { ...about, outcome: 'BEGUN', outcomeOf: null });
      // It is done, or refused, whatever becomes of this row; that it was begun is written.
      const end = (word: string): Promise<unknown> =>
        append(actor.tenant, { ...about, outcome: word, outcomeOf: no }).catch((cause: unknown) =>
          log.error('the outcome of an action is missing in the audit log', {
            no,
            outcome: word,
            cause: String(cause),
          }),
        );
      try {
        const value = await act();
        await end(outcome(value));
        return value;
      } catch (thrown) {
        await end(SyncError.from(thrown).code);
        throw thrown;
      }
    },

    async sawOperator({ user, device }) {
      const now = clock.monotonicMs();
      if ((seenAtMs.get(user) ?? -Infinity) > now - SEEN_FOR_MS) return;
      if (seenAtMs.size >= MOST_SEEN) seenAtMs.clear();
      seenAtMs.set(user, now);
      const about = { collection: null, subject: null, outcome: 'DONE', count: 1, outcomeOf: null };
      try {
        await append(tenant, { user, device, action: AUDITED.operatorSeen, ...about });
      } catch (thrown) {
        seenAtMs.delete(user);
        throw thrown;
      }
    },

    sawAnswers({ user, device }, answers) {
      for (const { collection, id, status, error } of answers) {
        if (status !== 'REJECTED' || error === null || !REFUSED_FOR_SCOPE.has(error.code)) continue;
        const about = { collection: keptText(collection), subject: keptText(id), outcome: error.code };
        noted.note({ user, device, action: AUDITED.refusedPush, ...about });
      }
    },

    read: (of, request) => store.readAudit(of, request),
    start() {
      running = loop();
    },
    async stop() {
      stopping.abort(new Error('the gateway stops'));
      await running;
      await writeCounted();
    },
  };
}

function keptText(text: string | undefined): string | null {
  return text === undefined ? null : storableText(text).slice(0, MAX_TEXT).toWellFormed();
}
