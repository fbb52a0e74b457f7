import { randomUUID } from 'node:crypto';
import type { Replica } from './client-under-test.js';
import { FORBIDDEN, type RecordFields } from './round-system.js';
import type { RoundWorld } from './round-world.js';

/** One row of the conformance matrix: what happens, on records of its own. The caller compares replica and system afterwards. */
export interface Scenario {
  readonly name: string;
  /** @param replica of a client that is in sync, but for the first scenario, where it is empty */
  run(world: RoundWorld, replica: Replica): Promise<void>;
}

/** In this order: each leaves the replica in sync. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'initial sync',
    async run(world, replica) {
      expect((await replica.all('visits')).size).toBe(0);
      await world.untilEqual(replica);
      expect((await replica.all('visits')).size).toBeGreaterThanOrEqual(100);
    },
  },
  {
    name: 'offline edits',
    async run(world, replica) {
      const { proxy, system } = world;
      const [patient, visit, short] = [randomUUID(), randomUUID(), randomUUID()];
      await proxy.set({ kind: 'refuse' });
      // The child before its parent, as an app may make them.
      await replica.create('visits', visit, newVisit({ patientId: patient, note: `of ${visit}` }));
      await replica.create('patients', patient, { name: 'Bea Neu', route: 'north' });
      await replica.edit('visits', 'V-1', { minutes: 17, vitals: { pulse: 71 }, supplies: [] });
      await replica.edit('visits', 'V-1', { status: 'done' });
      await replica.edit('visits', visit, { minutes: 5 });
      await replica.remove('visits', 'V-2');
      // Made and thrown away before anybody heard of it.
      await replica.create('visits', short, newVisit({ note: 'a mistake' }));
      await replica.remove('visits', short);
      await replica.sync().catch(() => undefined);
      expect((await replica.all('visits')).get(visit)).toMatchObject({ patientId: patient, minutes: 5 });
      expect((await replica.all('visits')).get('V-1')).toMatchObject({ minutes: 17, status: 'done' });
      await proxy.set({ kind: 'pass' });
      await world.untilEqual(replica);
      expect(system.records('visits', 'north').get('V-1')).toMatchObject({ minutes: 17, status: 'done', supplies: [] });
      expect(system.records('visits', 'north').has('V-2')).toBe(false);
      expect(effects(world, (body) => body['note'] === `of ${visit}`)).toBe(1);
    },
  },
  {
    name: 'delta',
    async run(world, replica) {
      world.system.edit('visits', 'V-3', { note: 'the door code is new', vitals: null });
      world.system.edit('visits', `V-late-${randomUUID()}`, newVisit({ note: 'added by the office' }));
      await world.untilEqual(replica);
    },
  },
  {
    name: 'delete',
    async run(world, replica) {
      expect((await replica.all('visits')).has('V-4')).toBe(true);
      world.system.remove('visits', 'V-4');
      await world.untilEqual(replica);
      expect((await replica.all('visits')).has('V-4')).toBe(false);
    },
  },
  {
    name: 'revoke',
    async run(world, replica) {
      world.system.edit('visits', 'V-5', { route: 'south' });
      await world.untilEqual(replica);
      expect((await replica.all('visits')).has('V-5')).toBe(false);
      expect(world.system.records('visits', 'south').has('V-5')).toBe(true);
      // And what comes into the route is brought, with all of its fields.
      world.system.edit('visits', 'V-5', { route: 'north' });
      await world.untilEqual(replica);
    },
  },
  {
    name: 'conflict',
    async run(world, replica) {
      const { proxy, system } = world;
      await proxy.set({ kind: 'refuse' });
      await replica.edit('visits', 'V-6', { note: 'by the nurse' });
      await replica.edit('visits', 'V-7', { status: 'done' });
      system.edit('visits', 'V-6', { note: 'by the office' });
      system.edit('visits', 'V-7', { note: 'another field' });
      await world.untilRead();
      await proxy.set({ kind: 'pass' });
      await world.untilEqual(replica);
      expect((await replica.all('visits')).get('V-6')).toMatchObject({ note: 'by the office' });
      expect((await replica.all('visits')).get('V-7')).toMatchObject({ status: 'done', note: 'another field' });
      expect(replica.refusals()).toContain('V-6');
      expect(replica.refusals()).not.toContain('V-7');
    },
  },
  {
    name: 'rejection',
    async run(world, replica) {
      const created = randomUUID();
      await replica.edit('visits', 'V-8', { note: FORBIDDEN });
      await replica.create('visits', created, newVisit({ note: `${FORBIDDEN} too` }));
      await replica.edit('visits', 'V-9', { note: 'beside it' });
      await world.untilEqual(replica);
      expect(replica.refusals()).toEqual(expect.arrayContaining(['V-8', created]));
      expect((await replica.all('visits')).has(created)).toBe(false);
      expect(effects(world, (body) => body['note'] === 'beside it')).toBe(1);
      // The record is as usable as before.
      await replica.edit('visits', 'V-8', { note: 'a better one' });
      await world.untilEqual(replica);
      expect(effects(world, (body) => body['note'] === 'a better one')).toBe(1);
    },
  },
  {
    name: 'duplicate delivery',
    async run(world, replica) {
      const created = randomUUID();
      world.doublesPushes = true;
      await replica.create('visits', created, newVisit({ note: 'sent twice' }));
      await replica.edit('visits', 'V-10', { note: 'sent twice as well' });
      await world.untilEqual(replica);
      world.doublesPushes = false;
      expect(effects(world, (body, id) => id === created)).toBe(1);
      expect(effects(world, (body) => body['note'] === 'sent twice as well')).toBe(1);
    },
  },
  {
    name: 'lost reply',
    async run(world, replica) {
      const { proxy, system } = world;
      const created = randomUUID();
      await proxy.set({ kind: 'resetAfter' });
      await replica.edit('visits', 'V-18', { isUrgent: false });
      await world.untilSynced(replica, 'the system has it', () => effects(world, (_body, id) => id === 'V-18') === 1);
      // A toggle goes back while nobody answers, and then to and fro: no turn of it is taken for a repeat of another (F22).
      await replica.edit('visits', 'V-18', { isUrgent: true });
      await replica.create('visits', created, newVisit({ note: 'was it taken?' }));
      await replica.sync().catch(() => undefined);
      await proxy.set({ kind: 'pass' });
      await world.untilEqual(replica);
      for (const isUrgent of [true, false, true, false]) {
        expect((await replica.all('visits')).get('V-18')).toMatchObject({ isUrgent });
        await replica.edit('visits', 'V-18', { isUrgent: !isUrgent });
        await world.untilEqual(replica);
        expect(system.records('visits', 'north').get('V-18')).toMatchObject({ isUrgent: !isUrgent });
      }
      expect(effects(world, (_body, id) => id === created)).toBe(1);
      expect(effects(world, (_body, id) => id === 'V-18')).toBe(6);
    },
  },
  {
    name: 'reset',
    async run(world, replica) {
      const { proxy, system } = world;
      const created = randomUUID();
      await proxy.set({ kind: 'refuse' });
      await replica.edit('visits', 'V-12', { note: 'not sent before the reset' });
      await replica.create('visits', created, newVisit({ note: 'nor this one' }));
      // Gone at the source, and what told of it is forgotten: only its absence tells.
      system.remove('visits', 'V-13');
      await world.untilRead();
      await world.expire();
      await proxy.set({ kind: 'pass' });
      await world.untilEqual(replica);
      expect((await replica.all('visits')).has('V-13')).toBe(false);
      expect(effects(world, (body) => body['note'] === 'not sent before the reset')).toBe(1);
      expect(effects(world, (_body, id) => id === created)).toBe(1);
      // The same when the gateway was restored from a backup.
      await proxy.set({ kind: 'refuse' });
      system.remove('visits', 'V-19');
      await world.untilRead();
      await world.newEpoch();
      await proxy.set({ kind: 'pass' });
      await world.untilEqual(replica);
    },
  },
  {
    name: 'eviction',
    async run(world, replica) {
      const { proxy, system } = world;
      await proxy.set({ kind: 'resetAfter' });
      await replica.edit('visits', 'V-21', { note: 'before a long silence' });
      const isInEffect = (): boolean => effects(world, (body) => body['note'] === 'before a long silence') === 1;
      await world.untilSynced(replica, 'the system has it', isInEffect);
      await proxy.set({ kind: 'refuse' });
      await replica.edit('visits', 'V-22', { note: 'never sent' });
      system.edit('visits', 'V-21', { note: 'by the office since then' });
      await world.untilRead();
      await world.evict();
      await proxy.set({ kind: 'pass' });
      await world.untilEqual(replica);
      expect(replica.refusals()).not.toContain('V-21');
      expect(effects(world, (_body, id) => id === 'V-21')).toBe(1);
      // A client may take an edit for sent that never got away; then it says so.
      const isTold = replica.unanswered().includes('V-22');
      expect(effects(world, (body) => body['note'] === 'never sent')).toBe(isTold ? 0 : 1);
      // Its new id is as good as the old one was.
      await replica.edit('visits', 'V-21', { note: 'once more' });
      await world.untilEqual(replica);
      expect(effects(world, (body) => body['note'] === 'once more')).toBe(1);
    },
  },
  {
    name: 'source down',
    async run(world, replica) {
      const { system } = world;
      const created = randomUUID();
      system.isDown = true;
      await replica.edit('visits', 'V-14', { note: 'while it is away' });
      await replica.remove('visits', 'V-15');
      // Accepted, and refused when it is back.
      await replica.edit('visits', 'V-20', { note: `${FORBIDDEN}, as it turns out` });
      await replica.create('visits', created, newVisit({ note: `${FORBIDDEN} as well` }));
      const isAccepted = async (): Promise<boolean> => (await world.openChanges()).length === 4;
      await world.untilSynced(replica, 'the gateway has accepted them', isAccepted);
      expect(replica.refusals()).not.toContain('V-20');
      expect((await replica.all('visits')).get('V-14')).toMatchObject({ note: 'while it is away' });
      system.isDown = false;
      await world.untilEqual(replica);
      expect(effects(world, (body) => body['note'] === 'while it is away')).toBe(1);
      expect(replica.refusals()).toEqual(expect.arrayContaining(['V-20', created]));
      expect((await replica.all('visits')).has(created)).toBe(false);
      expect(system.records('visits', 'north').has('V-15')).toBe(false);
    },
  },
  {
    name: 'restored',
    async run(world, replica) {
      const { system } = world;
      const created = randomUUID();
      await world.restore(async () => {
        system.isDown = true;
        await replica.create('visits', created, newVisit({ note: 'accepted, and not in the backup' }));
        await replica.edit('visits', 'V-23', { note: 'accepted as well' });
        await replica.remove('visits', 'V-24');
        const isAccepted = async (): Promise<boolean> => (await world.openChanges()).length === 3;
        await world.untilSynced(replica, 'the gateway has accepted them', isAccepted);
        expect(effects(world, (_body, id) => [created, 'V-23', 'V-24'].includes(id))).toBe(0);
      });
      // The new record reaches the system. Of an edit and a deletion nobody but an operator can tell whether they were sent before.
      const isKnown = async (): Promise<boolean> => {
        const parked = (await world.openChanges()).filter((change) => change.includes('PARKED')).length;
        return parked === 2 && effects(world, (_body, id) => id === created) === 1;
      };
      await world.untilSynced(replica, 'the gateway knows again what it had accepted', isKnown);
      await world.untilEqual(replica, () => world.refuseParked());
      expect((await replica.all('visits')).get(created)).toMatchObject({ note: 'accepted, and not in the backup' });
      expect(replica.refusals()).toEqual(expect.arrayContaining(['V-23', 'V-24']));
      expect(replica.refusals()).not.toContain(created);
      expect(effects(world, (_body, id) => [created, 'V-23', 'V-24'].includes(id))).toBe(1);
    },
  },
  {
    name: 'gateway killed and restarted',
    async run(world, replica) {
      await replica.edit('visits', 'V-16', { note: 'before the kill' });
      const syncing = replica.sync().catch(() => undefined);
      await world.kill();
      await syncing;
      await replica.edit('visits', 'V-17', { note: 'after the kill' });
      await replica.sync().catch(() => undefined);
      await world.restart();
      await world.untilEqual(replica);
      for (const note of ['before the kill', 'after the kill'])
        expect(effects(world, (body) => body['note'] === note)).toBe(1);
    },
  },
];

function newVisit(fields: RecordFields): RecordFields {
  return { route: 'north', status: 'planned', minutes: 10, price: '9.90', ...fields };
}

/** How many writes took effect at the system that are so. */
function effects(world: RoundWorld, isSo: (body: RecordFields, id: string) => boolean): number {
  return world.system.journal.filter(({ body, id }) => isSo(body, id)).length;
}
