import type { SourceKey } from '../../src/core/change.js';
import type { RecordWrite } from '../../src/core/record-port.js';
import type { Store } from '../../src/core/store-port.js';
import type { ViaName } from '../../src/core/via.js';
import type { Mutation, World } from './world.js';

/** A planted fault: what has its scopes from another record gets those that this one has when it is written, and keeps them. */
export const LEFT_BEHIND: Mutation = {
  store: (real, world) => ({
    commit: async (tenant, writes, context) => {
      const left = await Promise.all(writes.map((write) => leftBehind(real, tenant, world, write)));
      return real.commit(tenant, left, context);
    },
    readHashes: async (tenant, collection, keys) => {
      const marks = await real.readHashes(tenant, collection, keys);
      const via = (id: string): ViaName | null => viasOf(world).get(`${collection} ${id}`) ?? null;
      return new Map([...marks].map(([key, mark]) => [key, { ...mark, via: via(mark.id) }]));
    },
  }),
};

/** What the records of a world follow by name and not in truth. */
const vias = new WeakMap<World, Map<string, ViaName>>();

function viasOf(world: World): Map<string, ViaName> {
  const known = vias.get(world) ?? new Map<string, ViaName>();
  vias.set(world, known);
  return known;
}

async function leftBehind(real: Store, tenant: string, world: World, write: RecordWrite): Promise<RecordWrite> {
  const { next, collection, id } = write;
  if (next === undefined || (next.via ?? null) === null) return write;
  const [kind, of = '', name = ''] = (next.via as ViaName).split(' ');
  const byKey = await real.readBySourceKey(tenant, of, kind === 'k' ? [name as SourceKey] : []);
  const parent = byKey.get(name as SourceKey);
  viasOf(world).set(`${collection} ${id}`, next.via as ViaName);
  return { ...write, next: { ...next, via: null, scopes: parent?.scopes ?? [] } };
}
