import { parseBody } from '../../src/core/collection.js';
import type { RecordWrite } from '../../src/core/record-port.js';
import type { Store } from '../../src/core/store-port.js';
import type { World } from './world.js';

/** A record that was at its source for so long without a gap is not gone, whatever reads of it came to. */
const THERE_MS = 60_000;

/** The store as a node has it: the judge hears of every fate, every noted call and every tombstone. */
export function watchedStore(world: World, node: string): Store {
  const { store, judge } = world;
  return {
    ...store,
    async commit(tenant, writes, context) {
      const outcomes = await store.commit(tenant, writes, context);
      const { collection, addRechecks = [], dropRechecks = [] } = context?.ingest ?? {};
      for (const { sourceKey, reason } of addRechecks)
        world.tell(() => `${node} will read ${collection} ${sourceKey} again: ${reason}`);
      for (const sourceKey of dropRechecks) world.tell(() => `${node} has read ${collection} ${sourceKey} again`);
      writes.forEach((write, at) => {
        const outcome = outcomes[at]?.kind;
        world.tell(() => `${node} commits ${textOf(write)} ${outcome}`);
        if (outcome !== 'written') return;
        const { settlement } = write;
        if (settlement) judge.settled(settlement.device.device, settlement.changeId, settlement.status);
        if (isTombstone(write)) checkTombstone(world, write);
      });
      return outcomes;
    },
    async noteSent(tenant, notes) {
      const outcomes = await store.noteSent(tenant, notes);
      const sent = notes.filter((_note, at) => outcomes[at] === 'sent');
      const views = await store.readRecords(tenant, sent);
      sent.forEach(({ intentNo }, at) => {
        const view = views[at];
        const intent = view?.intents.find((one) => one.intentNo === intentNo);
        if (intent === undefined || !view) return;
        judge.noteSent(intent.device.device, intent.changeId, view.body === null ? null : parseBody(view.body));
        world.tell(() => `${node} notes ${intent.changeId}`);
      });
      return outcomes;
    },
  };
}

/** The end of a record as a source's reads showed it: not one that a device asked for, nor an alias. */
function isTombstone({ next, aliasOf }: RecordWrite): boolean {
  return next !== undefined && next.deleted && !next.throughUs && next.body !== null && aliasOf === undefined;
}

/** R14: no deletion is invented. */
function checkTombstone(world: World, { collection, id, next, settlement }: RecordWrite): void {
  const key = next?.sourceKey ?? null;
  if (key === null || settlement || !world.systems.get(collection)?.wasThereFor(key, THERE_MS)) return;
  world.judge.fail(`(R14) the end of ${collection} ${id} was invented`);
}

function textOf({ collection, id, next, settlement }: RecordWrite): string {
  const state =
    next &&
    `${next.sourceKey} ${next.deleted ? 'deleted' : next.body} vis ${next.vis}${next.pending ? ' pending' : ''}`;
  const fate = settlement && `${settlement.changeId} ${settlement.status} ${settlement.error?.message ?? ''}`;
  return [collection, id, state, fate].filter((part) => part !== undefined).join(' ');
}
