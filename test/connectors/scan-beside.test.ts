import { collection, field, offset } from '../../src/connectors/define.js';
import { get } from '../../src/connectors/rest.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { VISITS } from '../contract/store/world.js';
import { createIngestingClinic } from '../ingest/ingesting-clinic.js';
import { createGate, startScripted, type ScriptedSource } from './scripted-source.js';

const START_MS = Date.UTC(2026, 0, 5, 8);
const SIZE = 2;

let source: ScriptedSource;
beforeEach(async () => {
  source = await startScripted(START_MS);
});
afterEach(() => source.close());

function visits(): SourceCollection {
  const one = collection({
    type: 'Visit',
    key: 'id',
    keysReused: false,
    fields: { note: field.string(), route: field.string() },
    read: {
      list: get('/visits', { paging: offset({ fromIn: 'from', size: SIZE, overlap: 1 }) }),
      one: get('/visits/{key}'),
      changes: {
        list: get('/changes'),
        param: 'since',
        stamp: 'at',
        precision: '1s',
        inclusive: true,
        ordered: false,
        maxTransaction: '0s',
      },
    },
  });
  return source.open({ visits: one })[0] as SourceCollection;
}

test('R14, R15: a poll that comes while a source is slow to give a page of a scan is made, and is not undone by that page', async () => {
  const rows = new Map<string, { readonly note: string; readonly at: string }>();
  const put = (id: string, note: string, second: number): void =>
    void rows.set(id, { note, at: new Date(START_MS + second * 1_000).toISOString() });
  const shown = () => [...rows].map(([id, row]) => ({ id, route: '1', ...row }));
  for (let n = 1; n <= 5; n += 1) put(`V-${n}`, `visit ${n}`, -100);
  const [requested, gate] = [createGate(), createGate()];
  let isSlow = false;
  source.answer = ({ path, query }) => {
    if (path === '/api/changes') return { rows: shown().filter(({ at }) => at >= String(query.get('since'))) };
    const key = /^\/api\/visits\/(.*)$/.exec(path)?.[1];
    const found = shown().find(({ id }) => id === key);
    if (key !== undefined) return found === undefined ? { status: 404, rows: {} } : { rows: found };
    const from = Number(query.get('from'));
    const page = shown().slice(from, from + SIZE);
    // The page is made now, and is long on its way.
    if (from !== 0 || !isSlow) return { rows: page };
    requested.open();
    return { rows: page, after: gate.opened };
  };
  const one = visits();
  const clinic = await createIngestingClinic([one]);
  const { poller, store, world } = clinic;
  const note = async (id: string): Promise<unknown> => (await clinic.live())[id]?.['note'];
  await poller.round(VISITS);

  isSlow = true;
  await store.askScan(world.tenant, VISITS, null);
  const scan = poller.round(VISITS);
  await requested.opened;
  put('V-1', 'changed while the page was on its way', 1);
  rows.delete('V-4');
  await poller.round(VISITS);
  expect(await note('V-1')).toBe('changed while the page was on its way');

  gate.open();
  await scan;
  expect(await note('V-1')).toBe('changed while the page was on its way');
  // What the scan did not show, and its key did not find.
  expect(await note('V-4')).toBeUndefined();
  clinic.clock.advance(2_000);
  await poller.round(VISITS);
  expect(await note('V-1')).toBe('changed while the page was on its way');
  expect(await clinic.rechecks()).toEqual([]);
});
