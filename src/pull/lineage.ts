import { hash } from 'node:crypto';
import type { Collection } from '../core/collection.js';
import { SyncError } from '../core/errors.js';

/** The collections of a list, by name, and the lineage of checkpoints that belongs to it. */
interface Lineage {
  readonly names: readonly string[];
  readonly lineage: string;
}

/**
 * One lineage per immutable list; null follows the configuration.
 *
 * @throws SyncError BAD_REQUEST - an empty list, or an unknown collection
 */
export function lineages(collections: readonly Collection[]): (asked: readonly string[] | null) => Lineage {
  const every = collections.map((collection) => collection.name).sort();
  const known = new Set(every);
  return (asked) => {
    if (asked === null) return { names: every, lineage: '*' };
    const names = checkCollections(asked, known);
    return { names, lineage: hash('sha256', JSON.stringify(names), 'base64url').slice(0, 16) };
  };
}

function checkCollections(asked: readonly string[], known: ReadonlySet<string>): readonly string[] {
  if (asked.length === 0) {
    throw new SyncError('BAD_REQUEST', 'collections: expected at least one name, or null for all, got an empty list', {
      field: 'collections',
    });
  }
  const unknown = asked.find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new SyncError(
      'BAD_REQUEST',
      `collections: expected some of ${[...known].join(', ')}, got ${JSON.stringify(unknown.slice(0, 100))}`,
      { field: 'collections' },
    );
  }
  return [...new Set(asked)].sort();
}
