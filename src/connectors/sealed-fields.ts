import type { Fields } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import type { AnyCollectionDefinition } from './define.js';
import type { FieldSpec } from './field-builder.js';

/** Names of the fields whose values rest here only encrypted (F32). */
export function sealedNames({ fields }: AnyCollectionDefinition): readonly string[] {
  return specsOf(fields).flatMap(([name, { sealed }]) => (sealed === true ? [name] : []));
}

/**
 * A scope rule that sees no sealed field: names of scopes rest here as they are, and so would a value that is part of one. Such a field is
 * not among the record's, and to ask for it throws.
 */
export function withoutSealed(scopesOf: Collection['scopesOf'], sealed: readonly string[]): Collection['scopesOf'] {
  if (sealed.length === 0) return scopesOf;
  return (fields) => {
    const rest: Record<string, unknown> = { ...fields };
    for (const name of sealed) {
      Object.defineProperty(rest, name, {
        enumerable: false,
        get() {
          throw new SealedScope(name);
        },
      });
    }
    return scopesOf(rest as Fields);
  };
}

/** What a sealed field cannot be used for, each as ".key: expected …, got …": there its values would rest here as they are. */
export function misfitsOfSealed(one: AnyCollectionDefinition): readonly string[] {
  const names = sealedNames(one);
  if (names.length === 0) return [];
  if (one.storage === 'metadataOnly')
    return names.map(
      (name) => `.fields.${name}: expected no "sealed", since storage "metadataOnly" keeps no value, got it`,
    );
  return names
    .flatMap((name) => misfitsOfOne(one, name, one.fields[name] as FieldSpec))
    .concat(misfitsOfScopes(one, names));
}

function misfitsOfOne(one: AnyCollectionDefinition, name: string, spec: FieldSpec): readonly string[] {
  const { key, version, map, read, write } = one;
  const misfits: string[] = [];
  const refuse = (where: string, why: string): void =>
    void misfits.push(`${where}: expected no sealed field, since ${why} as they are, got "${name}"`);
  if (spec.type === 'reference') refuse(`.fields.${name}`, 'references rest here');
  if (write?.naturalKey?.fields.includes(name) === true)
    refuse('.write.naturalKey', 'records are looked up by its values');
  // Under a map of the author's nobody knows which member a field comes from.
  if (map !== undefined) return misfits;
  const member = spec.from ?? name;
  if (typeof key !== 'function' && [key].flat().includes(member)) refuse('.key', 'keys rest here');
  if (version === member) refuse('.version', 'versions rest here');
  const { changes } = read;
  const stamp = changes === undefined ? undefined : changes.kind === 'number' ? changes.member : changes.stamp;
  if (stamp === member) refuse('.read.changes', 'cursors rest here');
  return misfits;
}

/** A rule is a pure function of the record: one that looks at a sealed field of an empty record is refused at the start already. */
function misfitsOfScopes({ scopes, fields }: AnyCollectionDefinition, names: readonly string[]): readonly string[] {
  if (typeof scopes !== 'function') return [];
  const empty = Object.fromEntries(Object.keys(fields).map((name) => [name, null]));
  try {
    withoutSealed(scopes as Collection['scopesOf'], names)(empty);
  } catch (thrown) {
    if (thrown instanceof SealedScope)
      return [`.scopes: expected no sealed field, since names of scopes rest here as they are, got "${thrown.field}"`];
    // It fails for a record without values: whether for others, each of them will tell.
  }
  return [];
}

class SealedScope extends Error {
  override readonly name = 'SealedScope';

  constructor(readonly field: string) {
    super(`expected a scope rule that looks at no sealed field, got one that looks at "${field}"`);
  }
}

function specsOf(fields: AnyCollectionDefinition['fields']): readonly (readonly [string, FieldSpec])[] {
  return Object.entries(fields);
}
