import type { Change } from './change.js';

/** The parts of a change that differ from change to change; `fields` is the record's ready text, `null` for tombstones. */
export type ChangeSlot = 'collection' | 'id' | 'version' | 'changedAt' | 'kind' | 'pending' | 'mine' | 'fields';

/**
 * A piece of a change's JSON text. `prefix` goes right behind the opening brace of `fields`, `suffix` right before the
 * closing one, for a `__typename`.
 */
export type ChangePart =
  | { readonly literal: string }
  | { readonly slot: Exclude<ChangeSlot, 'fields'> }
  | { readonly slot: 'fields'; readonly prefix: string; readonly suffix?: string };

/**
 * How the text of a change is put together, per collection: what lets the store deliver a page as ready JSON without
 * parsing a row. Made once per GraphQL document.
 */
export interface ChangeShape {
  /** Equal keys have equal parts: stores keep what they prepare under it. At most 40 characters of a-z, 0-9, _. */
  readonly key: string;
  readonly parts: ReadonlyMap<string, readonly ChangePart[]>;
}

const FULL_PARTS: readonly ChangePart[] = [
  { literal: '{"collection":' },
  { slot: 'collection' },
  { literal: ',"id":' },
  { slot: 'id' },
  { literal: ',"version":' },
  { slot: 'version' },
  { literal: ',"changedAt":' },
  { slot: 'changedAt' },
  { literal: ',"kind":' },
  { slot: 'kind' },
  { literal: ',"pending":' },
  { slot: 'pending' },
  { literal: ',"mine":' },
  { slot: 'mine' },
  { literal: ',"json":' },
  { slot: 'fields', prefix: '' },
  { literal: '}' },
];

/** The shape whose text is the JSON of `Change`: parse a page of it and you have the changes as objects. */
export function fullShape(collections: readonly string[], key = 'full'): ChangeShape {
  return { key, parts: new Map(collections.map((name) => [name, FULL_PARTS])) };
}

/** The same shape, with null in the place of the fields of these collections' records. */
export function withoutFields({ key, parts }: ChangeShape, collections: ReadonlySet<string>): ChangeShape {
  const bare = ([name, own]: readonly [string, readonly ChangePart[]]): readonly [string, readonly ChangePart[]] =>
    collections.has(name)
      ? [name, own.map((part) => ('slot' in part && part.slot === 'fields' ? { literal: 'null' } : part))]
      : [name, own];
  return { key, parts: new Map([...parts].map(bare)) };
}

/** The text of one change in a shape: what every store's pages must equal, byte for byte. */
export function renderChange(parts: readonly ChangePart[], change: Omit<Change, 'json'>, body: string | null): string {
  let text = '';
  for (const part of parts) {
    if ('literal' in part) text += part.literal;
    else if (part.slot !== 'fields') text += JSON.stringify(change[part.slot]);
    else if (body === null) text += 'null';
    else text += `{${part.prefix}${body.slice(1, -1)}${part.suffix ?? ''}}`;
  }
  return text;
}
