import { Dispatcher } from '../../demo/dispatcher.js';
import { SeededChance } from '../../demo/seeded-chance.js';
import { buildDemo } from './built-demo.js';

const TODAY = '2026-11-24';
const demo = buildDemo();
let rest: string;
let stock: string;
beforeAll(async () => {
  const programs = ['rest-source', 'soap-source'].map((name) =>
    demo.start(name, ['--folder', demo.newFolder(), '--today', TODAY]),
  );
  const [first, second] = await Promise.all(programs.map((program) => program.line(/(http:\S+)/)));
  rest = first?.[1] ?? '';
  stock = second?.[1] ?? '';
});
afterAll(() => demo.remove());

function dispatcher(seed: number): Dispatcher {
  const chance = new SeededChance(seed);
  return new Dispatcher({
    restUrl: rest,
    wsdlUrl: `${stock}/supplies?wsdl`,
    chance: () => chance.next(),
    nowMs: () => Date.parse(`${TODAY}T07:00:00Z`),
  });
}

async function visit(id: string | undefined): Promise<Response> {
  return await fetch(`${rest}/visits/${id ?? ''}`);
}

const idOf = (said: string): string | undefined => /visit (\S+)/.exec(said)?.[1];

test('the dispatcher moves, assigns and cancels planned visits, and each is a new version', async () => {
  const office = dispatcher(1);
  const moved = await office.reschedule();
  expect(await (await visit(idOf(moved))).json()).toMatchObject({ version: 2, plannedAt: moved.split(' to ')[1] });
  const assigned = await office.assign();
  expect(await (await visit(idOf(assigned))).json()).toMatchObject({ staffId: assigned.split(' to ')[1] });
  const cancelled = await office.cancel();
  expect(await (await visit(idOf(cancelled))).json()).toMatchObject({ status: 'cancelled' });
});

test('the dispatcher plans new visits and deletes cancelled ones', async () => {
  const office = dispatcher(2);
  expect(await (await visit(idOf(await office.addVisit()))).json()).toMatchObject({ status: 'planned', version: 1 });
  expect((await visit(idOf(await office.removeCancelled()))).status).toBe(404);
});

test('the dispatcher changes the stock in the store room and leaves the rest of the supply as it was', async () => {
  const said = await dispatcher(3).changeStock();
  const [, sku = '', quantity = ''] = /stock of (\S+): \d+ -> (\d+)/.exec(said) ?? [];
  const answer = await fetch(`${stock}/supplies`, {
    method: 'POST',
    headers: { 'content-type': 'text/xml', soapaction: 'urn:homecare:supplies:1/GetSupply' },
    body: `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><GetSupply xmlns="urn:homecare:supplies:1"><sku>${sku}</sku></GetSupply></s:Body></s:Envelope>`,
  });
  const xml = await answer.text();
  expect(xml).toContain(`<quantity>${quantity}</quantity>`);
  expect(xml).toMatch(/<unitPrice>\d+\.\d{2}<\/unitPrice>.*<version>2<\/version>/);
});

test('60 edits in a row are done or refused in words, and the systems stay as they should be', async () => {
  const office = dispatcher(4);
  for (let edit = 0; edit < 60; edit += 1) expect(await office.edit()).toMatch(/^(visit|stock) /);
  const visits = (await (await fetch(`${rest}/visits`)).json()) as readonly { readonly id: string }[];
  expect(visits.length).toBeGreaterThan(1980);
});
