import type { Change, Fields } from '../core/change.js';
import { SyncError } from '../core/errors.js';

/** A change as default resolvers read it: its concrete type by name, its fields under both of their names. */
export interface ChangeSource extends Change {
  readonly __typename: string;
  readonly record: Fields | null;
}

/** The GraphQL type of a collection's changes. */
export function changeTypeName(recordType: string): string {
  return `${recordType}Change`;
}

/** @param typeOf change type by collection name */
export function toChangeSource(change: Change, typeOf: ReadonlyMap<string, string>): ChangeSource {
  const __typename = typeOf.get(change.collection);
  if (__typename === undefined) throw new SyncError('INTERNAL', `no type for collection ${change.collection}`);
  return { ...change, __typename, record: change.json };
}

/** The changes of a page whose texts have the full shape. */
export function parseChanges(
  texts: readonly Uint8Array[],
  typeOf: ReadonlyMap<string, string>,
): readonly ChangeSource[] {
  const filled = texts.filter((text) => text.length > 0);
  if (filled.length === 0) return [];
  const changes = JSON.parse(`[${Buffer.concat(joined(filled)).toString('utf8')}]`) as (Change & {
    __typename?: string;
    record?: Fields | null;
  })[];
  for (const change of changes) {
    change.__typename = typeOf.get(change.collection) as string;
    change.record = change.json;
  }
  return changes as ChangeSource[];
}

const COMMA = Buffer.from(',');

/** Texts with commas between them: each is one or more changes, none is empty. */
export function joined(texts: readonly Uint8Array[]): readonly Uint8Array[] {
  return texts.flatMap((text, at) => (at === 0 ? [text] : [COMMA, text]));
}
