import type { EntitySet, ODataCall } from './described-system.js';
import type { Drafted, DraftedCall, DraftedCollection } from './drafted-collection.js';
import { guessFlag, guessStamp, guessVersion } from './fact-guesses.js';
import { graphqlName, NameKeeper, valueName } from './safe-names.js';

/** Collections of an OData service: each entity set that can be listed and whose key is of its own properties. */
export function draftODataCollections(calls: readonly ODataCall[]): Drafted<ODataCall> {
  const names = new NameKeeper();
  const collections: DraftedCollection<ODataCall>[] = [];
  const leftOut: string[] = [];
  for (const set of new Set(calls.map((call) => call.set))) {
    const own = calls.filter((call) => call.set === set);
    const list = own.find(({ does }) => does === 'list');
    const why = list === undefined ? 'has no list' : keyMisfit(set);
    if (list === undefined || why !== null) leftOut.push(`${set.name} ${why ?? ''}`);
    else collections.push(collectionOf(set, list, own, names));
  }
  return { collections, leftOut };
}

function keyMisfit({ key, type }: EntitySet): string | null {
  if (key.length === 0) return 'has no key';
  const odd = key.find((name) => type.members.find((member) => member.name === name)?.shape.kind !== 'scalar');
  return odd === undefined ? null : `has a key that is no plain property of its own, ${odd}`;
}

function collectionOf(
  set: EntitySet,
  list: ODataCall,
  own: readonly ODataCall[],
  names: NameKeeper,
): DraftedCollection<ODataCall> {
  const [onlyKey = '', ...otherKeys] = set.key;
  const drafted = (does: ODataCall['does']): DraftedCall<ODataCall> | null => {
    const call = own.find((one) => one.does === does);
    return call === undefined ? null : { call, rows: '' };
  };
  const version = guessVersion(set.type);
  return {
    name: names.take(graphqlName(valueName(set.name))),
    row: set.type,
    list: { call: list, rows: '', paging: null, total: null, more: null, since: null },
    one: drafted('one'),
    create: drafted('insert'),
    update: drafted('update'),
    remove: drafted('remove'),
    key: otherKeys.length === 0 ? onlyKey : set.key,
    keyIs: 'said',
    version: set.hasETag ? 'etag' : version,
    hasGuard: set.hasETag,
    stamp: stampOf(set),
    flag: guessFlag(set.type),
  };
}

/** OData filters by a moment only where the property is one. */
function stampOf({ type, filterable }: EntitySet): string | null {
  return guessStamp({
    ...type,
    members: type.members.filter(
      ({ name, shape }) => filterable.includes(name) && shape.kind === 'scalar' && shape.type === 'dateTime',
    ),
  });
}
