import type { RecordId } from '../core/change.js';
import type { Session } from '../core/session.js';
import type { ReadCurrent, RecordName } from '../pull/current.js';
import { toChangeSource, type ChangeSource } from './change-source.js';
import { jointReads } from './joint-reads.js';

/** Reads records as they now stand; what one request asks for at the same time is one read. */
export interface CurrentRecords {
  /** Null when the session may not see it, or it was never there. */
  read(collection: string, id: string): Promise<ChangeSource | null>;
}

/** One per request: results of a push of 1,000 changes cost one query. */
export function readCurrentTogether(
  session: Session,
  readCurrent: ReadCurrent,
  typeOf: ReadonlyMap<string, string>,
): CurrentRecords {
  const read = jointReads(async (keys) => {
    const changes = await readCurrent(session, keys.map(nameOf));
    return new Map(
      keys.flatMap((key, at) => {
        const change = changes[at] ?? null;
        return change === null ? [] : [[key, toChangeSource(change, typeOf)]];
      }),
    );
  });
  return { read: (collection, id) => read(keyOf({ collection, id })) };
}

/** Collection names have no blank, so the first blank divides. */
function keyOf({ collection, id }: { readonly collection: string; readonly id: string }): string {
  return `${collection} ${id}`;
}

function nameOf(key: string): RecordName {
  const at = key.indexOf(' ');
  return { collection: key.slice(0, at), id: key.slice(at + 1) as RecordId };
}
