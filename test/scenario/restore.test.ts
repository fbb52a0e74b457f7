import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as kit from '../../src/connectors/define.js';
import * as restKit from '../../src/connectors/rest.js';
import { startGateway, type Gateway } from '../../src/server/app.js';
import { loadConfig } from '../../src/server/config.js';
import { visitsConnector, type Offer } from '../support/journal-connector.js';
import { startJournalSystem, type JournalSystem } from '../support/journal-system.js';
import { silentLog } from '../support/postgres.js';
import { createSyncDevice, type Fate, type PushedEdit, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';

const VISITS = 60;
const FLEET = ['anna', 'berta', 'clara'];
/** A round after a restore: a poll of everything, a scan, and what was in doubt. */
const SETTLED_WITHIN_MS = 120_000;
const FINAL = new Set(['APPLIED', 'MERGED', 'CONFLICT', 'REJECTED']);

/** A phone with an outbox: a change stays in it until its final fate is known, by answer or by receipt. */
class Phone {
  readonly device: SyncDevice;
  readonly outbox = new Map<string, { readonly edit: PushedEdit; sentEpoch: string | null }>();
  readonly fates = new Map<string, Fate>();

  constructor(name: string, urlOf: () => string) {
    this.device = createSyncDevice(name, urlOf);
  }

  edit(id: string): string {
    const changeId = randomUUID();
    return this.note(changeId, { id, baseVersion: this.device.held('visits', id).version, json: { note: changeId } });
  }

  create(): string {
    const changeId = randomUUID();
    return this.note(changeId, { id: randomUUID(), json: { note: changeId, route: 'r1' } });
  }

  remove(id: string): string {
    const { version } = this.device.held('visits', id);
    return this.note(randomUUID(), { kind: 'DELETE', id, baseVersion: version });
  }

  private note(changeId: string, what: { readonly id: string } & Readonly<Record<string, unknown>>): string {
    // A repeat is the very same change.
    const edit = { changeId, collection: 'visits', changedAt: new Date().toISOString(), ...what };
    this.outbox.set(changeId, { edit, sentEpoch: null });
    return changeId;
  }

  /** Everything that waits. @param isAnswerLost the phone never hears what came of it */
  async push(isAnswerLost = false): Promise<void> {
    const waiting = [...this.outbox.values()];
    for (const one of waiting) one.sentEpoch ??= this.device.epoch;
    const fates = await this.device.push(waiting.map(({ edit, sentEpoch }) => ({ ...edit, sentEpoch })));
    if (!isAnswerLost) for (const fate of fates) this.hear(fate);
  }

  async pull(): Promise<void> {
    await this.device.pull(25);
    for (const receipt of this.device.receipts.values()) this.hear(receipt);
  }

  private hear(fate: Fate): void {
    const isFinal = FINAL.has(fate.status) && fate.error?.code !== 'RECORD_BLOCKED';
    if (isFinal || fate.status === 'PARKED') this.fates.set(fate.changeId, fate);
    if (isFinal) this.outbox.delete(fate.changeId);
  }

  /** All that it ever changed has a final fate, or an operator has to look. */
  isSettled(): boolean {
    return [...this.outbox.keys()].every((changeId) => this.fates.get(changeId)?.status === 'PARKED');
  }
}

let folder: string;
let dataFolder: string;
let system: JournalSystem;
let gateway: Gateway;
let phones: readonly [Phone, Phone, Phone];
let epochBefore: string | null;

async function start(offer: Offer): Promise<Gateway> {
  const connectors = [visitsConnector({ ...kit, ...restKit }, system.url, offer)];
  const config = await loadConfig({ PORT: '0', TIDEGATE_DATA: dataFolder }, folder, { connectors, patienceMs: 300 });
  return startGateway(config, { log: silentLog });
}

function copyFolder(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`expected a copy of ${from}, got: ${stderr}`);
}

/** Times that a change took effect, by the journal of the system itself. */
function effectsOf(changeId: string, edit?: PushedEdit): number {
  if (edit?.['kind'] !== 'DELETE') return system.journal.filter(({ note }) => note === changeId).length;
  return system.journal.filter(({ method, id }) => method === 'DELETE' && id === edit.id).length;
}

async function untilSettled(some: readonly Phone[]): Promise<void> {
  await until(
    'every change has its fate',
    async () => {
      for (const phone of some) {
        await phone.pull();
        if (!phone.isSettled()) await phone.push();
      }
      return some.every((phone) => phone.isSettled());
    },
    SETTLED_WITHIN_MS,
  );
}

async function untilEqual(phone: Phone): Promise<void> {
  const truth = (): string =>
    JSON.stringify([...system.visits.values()].map(({ id, note, route }) => [id, note, route]).toSorted());
  await until(
    `${phone.device.name} holds what the system holds`,
    async () => {
      await phone.pull();
      const held = [...phone.device.records].map(([key, { json }]) => [
        key.replace('visits ', ''),
        json['note'],
        json['route'],
      ]);
      return JSON.stringify(held.toSorted()) === truth();
    },
    SETTLED_WITHIN_MS,
  );
}

/** Every change that was made, and by whom. */
const made = new Map<string, { readonly phone: Phone; readonly edit: PushedEdit }>();

async function work(phone: Phone, ids: readonly string[], isAnswerLost = false): Promise<readonly string[]> {
  await phone.pull();
  const changes = [...ids.map((id) => phone.edit(id)), phone.create()];
  for (const changeId of changes) {
    made.set(changeId, { phone, edit: phone.outbox.get(changeId)?.edit as PushedEdit });
  }
  await phone.push(isAnswerLost);
  return changes;
}

describe.each([
  ['takes idempotency keys', 'key'],
  ['offers nothing against a second effect', 'nothing'],
] as const)('in front of a source that %s', (_what, offer) => {
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'tidegate-yesterday-'));
    dataFolder = path.join(folder, 'data');
    made.clear();
    system = await startJournalSystem({ visits: VISITS, routes: 3 });
    gateway = await start(offer);
    const [anna, berta, clara] = FLEET.map((name) => new Phone(name, () => gateway.url));
    phones = [anna as Phone, berta as Phone, clara as Phone];
    for (const phone of phones) await untilEqual(phone);
  });

  afterAll(async () => {
    await gateway.stop();
    await system.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  describe('a cold copy of yesterday is put back under a running fleet', () => {
    /** Accepted before the backup, delivered after it. */
    let openInBackup: readonly string[];
    /** Sent after the backup; their phones never heard of it. */
    let unheard: readonly string[];
    /** Made offline from a version of before, and first sent after the restore. */
    let neverSent: string;

    test('the day before: some work is done, some is accepted and waits', async () => {
      const [anna, berta] = phones;
      await work(anna, ['V-1', 'V-2']);
      await untilSettled([anna]);
      system.isBusy = true;
      openInBackup = await work(berta, ['V-3', 'V-4']);
      const removal = berta.remove('V-5');
      made.set(removal, { phone: berta, edit: berta.outbox.get(removal)?.edit as PushedEdit });
      await berta.push();
      openInBackup = [...openInBackup, removal];
      expect([...berta.fates.values()]).toEqual([]);
      epochBefore = anna.device.epoch;
      await gateway.stop();
      copyFolder(path.join(dataFolder, 'postgres'), path.join(folder, 'yesterday'));
    });

    test('the day after: what waited is delivered, phones and office work on', async () => {
      const [anna, berta, clara] = phones;
      system.isBusy = false;
      gateway = await start(offer);
      await until('what waited is delivered', () =>
        Promise.resolve(openInBackup.every((changeId) => effectsOf(changeId, made.get(changeId)?.edit) === 1)),
      );
      // Berta is not told: her phone is off until the next day.
      await work(anna, ['V-6', 'V-7']);
      unheard = await work(clara, ['V-8', 'V-9'], true);
      await until('their calls are answered', () => Promise.resolve(system.underway === 0));
      const created = [...made.values()].find(
        ({ phone, edit }) => phone === anna && effectsOf(edit.changeId) === 1 && !edit['baseVersion'],
      );
      await anna.pull();
      await work(anna, [created?.edit.id as string]);
      system.put('V-10', { note: 'the office was here' });
      system.put('V-60', { note: 'new at the office' });
      system.remove('V-11');
      await untilEqual(anna);
      expect(berta.device.epoch).toBe(epochBefore);
      neverSent = clara.edit('V-12');
      await gateway.stop();
      rmSync(path.join(dataFolder, 'postgres'), { recursive: true });
      copyFolder(path.join(folder, 'yesterday'), path.join(dataFolder, 'postgres'));
      gateway = await start(offer);
    });

    test('F5: a new epoch is in force, and every phone starts over and ends with what the system holds', async () => {
      await untilSettled(phones);
      for (const phone of phones) {
        await untilEqual(phone);
        expect(phone.device.epoch).not.toBe(epochBefore);
        expect(phone.device.resets).toBe(1);
      }
    }, 400_000);

    test('R11, F5: every accepted change took effect exactly once, none twice', () => {
      const counts = [...made].map(([changeId, { edit }]) => effectsOf(changeId, edit));
      expect([...new Set(counts)]).toEqual([1]);
      expect(system.journal.length).toBe(
        new Set(system.journal.map(({ method, id, note }) => JSON.stringify([method, id, note]))).size,
      );
    });

    test('R9: an edit made from a version of before the restore conflicts, and takes no effect', () => {
      expect(phones[2].fates.get(neverSent)).toMatchObject({ status: 'CONFLICT' });
      expect(effectsOf(neverSent)).toBe(0);
    });

    test('F5: a change whose phone never heard of it is told what became of it: APPLIED, or parked with a reason', () => {
      for (const changeId of [...openInBackup, ...unheard]) {
        const fate = made.get(changeId)?.phone.fates.get(changeId);
        if (fate?.status === 'PARKED') expect(fate.error?.message).toMatch(/restored/);
        else expect([changeId, fate?.status, fate?.error]).toEqual([changeId, 'APPLIED', null]);
      }
    });
  });

  describe('everything that the gateway kept is gone, as when its Postgres changes its major version', () => {
    let unheard: readonly string[];

    test('F5: it reads its sources again, and every phone starts over and ends with what the system holds', async () => {
      const [, , clara] = phones;
      unheard = await work(clara, ['V-20', 'V-21'], true);
      await until('their calls are answered', () =>
        Promise.resolve(unheard.every((changeId) => effectsOf(changeId) === 1)),
      );
      const before = clara.device.epoch;
      await gateway.stop();
      renameSync(path.join(dataFolder, 'postgres'), path.join(folder, 'postgres-of-before'));
      gateway = await start(offer);
      await untilSettled(phones);
      for (const phone of phones) {
        await untilEqual(phone);
        expect(phone.device.epoch).not.toBe(before);
        expect(phone.device.resets).toBe(2);
      }
    }, 400_000);

    test('R11, F5: what a phone never heard of is APPLIED, and took effect once', () => {
      expect(unheard.map((changeId) => phones[2].fates.get(changeId)?.status)).toEqual(unheard.map(() => 'APPLIED'));
      expect(unheard.map((changeId) => effectsOf(changeId))).toEqual(unheard.map(() => 1));
    });
  });
});
