import type { Reading } from '../../src/core/reading.js';
import type { SourceFacts } from '../../src/core/source-port.js';
import { VISITS } from '../contract/store/world.js';
import { createIngestingClinic, type IngestingClinic } from './ingesting-clinic.js';
import { createToySource, unavailable, type ToySource } from './toy-source.js';

const HOUR_MS = 3_600_000;

/** A reading whose marks are plain. */
function readingOf(set: string, key = 'id'): Reading {
  const shape = { key, fields: { note: 'string', route: 'string' }, rules: set };
  return { shape, mark: (of) => (of === 'set' ? `s:${set}` : `s:${set} ${key}`) };
}

/** Five visits that were read by one set of credentials; it is read by another one now. */
async function clinicWith(facts: Partial<SourceFacts> = {}): Promise<[IngestingClinic, ToySource]> {
  const source: ToySource & { reading?: Reading } = createToySource(facts, { pageSize: 10 });
  for (let n = 1; n <= 5; n++) source.put(`v${n}`);
  source.reading = readingOf('clerk');
  const clinic = await createIngestingClinic([source]);
  await clinic.poller.round(VISITS);
  source.reading = readingOf('trainee');
  source.calls.length = 0;
  return [clinic, source];
}

const progressOf = ({ store, world }: IngestingClinic) => store.readCollection(world.tenant, VISITS);
const live = async (clinic: IngestingClinic) => Object.keys(await clinic.live());

describe('a collection that is read in another way', () => {
  test.each<readonly [string, Partial<SourceFacts>]>([
    ['by keyed reads', {}],
    ['by a second scan', { readOne: false }],
    ['by flag', { deletions: 'flag', readOne: false }],
    ['as a list', { changes: 'list' }],
  ])('R14: holds even one deletion, confirmed %s, for as long as nobody allows it', async (_how, facts) => {
    const [clinic, source] = await clinicWith(facts);
    if (facts.deletions === 'flag') source.flag('v1');
    else source.remove('v1');
    for (let round = 0; round < 3; round++) {
      await clinic.poller.round(VISITS);
      clinic.clock.advance(HOUR_MS);
    }
    expect(await live(clinic)).toHaveLength(5);
    expect(await progressOf(clinic)).toMatchObject({ state: 'HELD', heldDeletions: 1, provenAs: 's:clerk' });
    await clinic.store.askScan(clinic.world.tenant, VISITS, { deletions: 1, forMs: HOUR_MS });
    await clinic.poller.round(VISITS);
    expect(await live(clinic)).toHaveLength(4);
    expect(await progressOf(clinic)).toMatchObject({ state: 'READY', provenAs: 's:trainee' });
  });

  test('R14: what is not there while nothing was read whole is not deleted on the way to it either', async () => {
    const [clinic, source] = await clinicWith();
    source.remove('v1');
    await clinic.store.commit(clinic.world.tenant, [], {
      ingest: { collection: VISITS, addRechecks: [{ sourceKey: 'v1' as never, reason: 'test', notBeforeMs: 0 }] },
    });
    source.before = (call) => {
      if (call === 'page') throw unavailable('503');
    };
    await expect(clinic.poller.round(VISITS)).rejects.toThrow('503');
    expect(await live(clinic)).toHaveLength(5);
  });

  test('is read whole from the beginning at once, and then not again, also while it is held', async () => {
    const [clinic, source] = await clinicWith();
    source.remove('v1');
    await clinic.poller.round(VISITS);
    expect(source.calls).toEqual(['changes', 'changes', 'page']);
    source.calls.length = 0;
    clinic.clock.advance(5_000);
    await clinic.poller.round(VISITS);
    expect(source.calls).toEqual(['changes']);
  });

  test('is read again from the beginning until that was complete', async () => {
    const [clinic, source] = await clinicWith();
    let fails = true;
    source.before = (call) => {
      if (call === 'page' && fails) throw unavailable('503');
    };
    await expect(clinic.poller.round(VISITS)).rejects.toThrow('503');
    fails = false;
    source.calls.length = 0;
    await clinic.poller.round(VISITS);
    expect(source.calls).toEqual(['changes', 'changes', 'page']);
    expect(await progressOf(clinic)).toMatchObject({ state: 'READY', readAs: 's:trainee id', provenAs: 's:trainee' });
  });

  test('R14: and shows all that is known, deletes again by the ordinary rules', async () => {
    const [clinic, source] = await clinicWith();
    await clinic.poller.round(VISITS);
    source.remove('v1');
    clinic.clock.advance(HOUR_MS);
    await clinic.poller.round(VISITS);
    expect(await live(clinic)).toHaveLength(4);
  });
});
