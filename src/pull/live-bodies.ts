import type { Change, Fields, SourceKey, Unavailable } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import { SyncError } from '../core/errors.js';
import { keptWhole } from '../core/keeping.js';
import { observedState } from '../core/observed-state.js';
import { forgiving } from '../core/overlay.js';
import type { Clock, HashText, Log } from '../core/ports.js';
import type { RecordView } from '../core/record-port.js';
import { grantsAny } from '../core/scope.js';
import type { ScopeGrant } from '../core/session.js';
import type { SourceCollection } from '../core/source-port.js';

/** A collection whose bodies are read from its source: as the source shows it, and as it is kept. */
export interface LiveCollection {
  readonly source: SourceCollection;
  readonly kept: Collection;
}

/** What one read of a record showed. */
export type LiveBody =
  | {
      readonly kind: 'shown';
      readonly fields: Fields;
      /** Of the state as it would be kept: equal to the record's, or the source and what is known here differ. */
      readonly hash: string;
    }
  /** The source says that there is none (any more). */
  | { readonly kind: 'gone' }
  | { readonly kind: 'unread'; readonly why: Unavailable };

export interface LivePorts {
  readonly clock: Clock;
  readonly hash: HashText;
  readonly log: Log;
}

/** All bodies of one answer are read within this time; those that are not by then come again. */
export const LIVE_READ_MS = 10_000;

const SILENT: LiveBody = { kind: 'unread', why: { code: 'SOURCE_UNAVAILABLE', retryable: true } };

/**
 * Reads records at their source, each key once, as many at a time as the source takes calls. Never throws: what could not be read says
 * why.
 */
export async function readLive(
  { clock, hash, log }: LivePorts,
  { source, kept }: LiveCollection,
  keys: Iterable<SourceKey>,
): Promise<ReadonlyMap<SourceKey, LiveBody>> {
  const found = new Map<SourceKey, LiveBody>([...keys].map((key) => [key, SILENT]));
  const waiting = [...found.keys()];
  const time = new AbortController();
  const answered = new AbortController();
  const over = clock.wait(LIVE_READ_MS, answered.signal).then(
    () => time.abort(new SyncError('SOURCE_UNAVAILABLE', `no answer within ${LIVE_READ_MS} ms`)),
    () => undefined,
  );

  async function read(key: SourceKey): Promise<LiveBody> {
    try {
      const one = await Promise.race([source.readOne(key, time.signal), over]);
      if (one === undefined) return SILENT;
      if (one === 'absent' || one.fields === null || one.sourceKey !== key) return { kind: 'gone' };
      const fields = keptWhole(kept, key, one.fields);
      const state = observedState(hash, kept, { ...one, fields });
      return { kind: 'shown', fields: one.fields, hash: state.hash };
    } catch (thrown) {
      const { code } = SyncError.from(thrown);
      // A record that does not fit its declaration comes again, too, once it does.
      return code === 'VALIDATION' ? { kind: 'unread', why: { code, retryable: true } } : SILENT;
    }
  }

  async function work(): Promise<void> {
    for (let key = waiting.pop(); key !== undefined && !time.signal.aborted; key = waiting.pop())
      found.set(key, await read(key));
  }

  if (!source.isDown()) await Promise.all(Array.from({ length: Math.max(1, source.facts.concurrency) }, work));
  answered.abort(new Error('the bodies are read'));
  const unread = [...found.values()].filter(({ kind }) => kind === 'unread').length;
  if (unread > 0) log.info('bodies could not be read', { collection: kept.name, unread, of: found.size });
  return found;
}

/** What a session is shown of a change whose body was read; `isOwed`: not just the state that is known here. */
export interface Filled {
  /** Null: nothing is shown of it. */
  readonly change: Change | null;
  readonly isOwed: boolean;
}

/** Puts a body into a change: only where the record, as its source shows it now, is in one of the session's scopes (R2, R13). */
export function fillChange(
  { source }: LiveCollection,
  grant: ScopeGrant,
  change: Change,
  view: RecordView,
  body: LiveBody,
): Filled {
  switch (body.kind) {
    case 'gone':
      return { change: null, isOwed: true };
    case 'unread':
      return { change: { ...change, json: null, unavailable: body.why }, isOwed: true };
    case 'shown': {
      const isOwed = body.hash !== view.hash;
      const isVisible = grantsAny(grant, forgiving(source.collection).scopesOf(body.fields));
      return isVisible ? { change: { ...change, json: body.fields }, isOwed } : { change: null, isOwed: true };
    }
  }
}
