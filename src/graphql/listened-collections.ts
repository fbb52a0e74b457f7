import type { Collection } from '../core/collection.js';
import { SyncError } from '../core/errors.js';

/** Names of which somebody wants hints. @throws SyncError BAD_REQUEST - one that there is not */
export function checkListened(asked: readonly string[], collections: readonly Collection[]): readonly string[] {
  const names = collections.map((collection) => collection.name);
  const unknown = asked.find((name) => !names.includes(name));
  if (unknown === undefined) return asked;
  throw new SyncError(
    'BAD_REQUEST',
    `collections: expected names among ${names.join(', ')}, got ${JSON.stringify(unknown.slice(0, 100))}`,
    { field: 'collections' },
  );
}
