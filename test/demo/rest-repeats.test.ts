import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildDemo, type RunningProgram } from './built-demo.js';

const demo = buildDemo();
afterAll(() => demo.remove());

interface Clinic {
  readonly url: string;
  readonly folder: string;
  readonly program: RunningProgram;
}

async function openClinic(folder = demo.newFolder()): Promise<Clinic> {
  const program = demo.start('rest-source', ['--folder', folder, '--today', '2026-11-24']);
  const [, url = ''] = await program.line(/(http:\S+)/);
  return { url, folder, program };
}

const VISIT = {
  patientId: 'P-0001',
  routeId: 'R-01',
  kind: 'woundCare',
  status: 'planned',
  plannedAt: '2026-11-25T08:00:00.000Z',
  durationMinutes: 30,
  price: '38.50',
};
const INCIDENT = {
  patientId: 'P-0001',
  routeId: 'R-01',
  kind: 'fall',
  severity: 'low',
  status: 'open',
  happenedAt: '2026-11-25T08:00:00.000Z',
  description: 'Found sitting beside the bed.',
};

interface Answer {
  readonly status: number;
  readonly isReplayed: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}

async function send(
  { url }: Clinic,
  method: string,
  path: string,
  body?: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isReplayed = answer.headers.get('idempotency-replayed') === 'true';
  return { status: answer.status, isReplayed, body: text === '' ? {} : (JSON.parse(text) as Answer['body']) };
}

const keyed = (key: string): Readonly<Record<string, string>> => ({ 'idempotency-key': key });

describe('a write under an Idempotency-Key', () => {
  let clinic: Clinic;
  beforeAll(async () => (clinic = await openClinic()));

  test('is done once: its repeat shows the record as it is by then', async () => {
    const patch = ['PATCH', '/visits/V-00020', { notes: 'once' }, { ...keyed('k-1'), 'if-match': '"1"' }] as const;
    expect(await send(clinic, ...patch)).toMatchObject({ status: 200, isReplayed: false, body: { version: 2 } });
    await send(clinic, 'PATCH', '/visits/V-00020', { notes: 'by the office' });
    expect(await send(clinic, ...patch)).toMatchObject({
      status: 200,
      isReplayed: true,
      body: { version: 3, notes: 'by the office' },
    });
  });

  test('that creates makes one record, and one that deletes is repeated as done', async () => {
    const post = ['POST', '/visits', VISIT, keyed('k-2')] as const;
    const made = await send(clinic, ...post);
    const again = await send(clinic, ...post);
    expect([made.status, again.status]).toEqual([201, 201]);
    expect(again).toMatchObject({ isReplayed: true, body: made.body });
    const remove = ['DELETE', `/visits/${String(made.body['id'])}`, undefined, keyed('k-3')] as const;
    expect(await send(clinic, ...remove)).toMatchObject({ status: 200, isReplayed: false });
    expect(await send(clinic, ...remove)).toMatchObject({ status: 200, isReplayed: true });
    // What it made is gone by now: it was done all the same, and there is nothing to show.
    expect(await send(clinic, ...post)).toMatchObject({ status: 204, isReplayed: true });
  });

  test.each([
    ['of another body', 'PATCH', '/visits/V-00021', { notes: 'other' }],
    ['of another record', 'PATCH', '/visits/V-00022', { notes: 'one' }],
  ])('%s is refused and changes nothing', async (_what, method, path, body) => {
    await send(clinic, 'PATCH', '/visits/V-00021', { notes: 'one' }, keyed('k-4'));
    expect(await send(clinic, method, path, body, keyed('k-4'))).toMatchObject({ status: 422, isReplayed: false });
    expect(await send(clinic, 'GET', '/visits/V-00021')).toMatchObject({ body: { notes: 'one', version: 2 } });
  });

  test('that was refused may be made again under the same key', async () => {
    const stale = { ...keyed('k-5'), 'if-match': '"7"' };
    expect(await send(clinic, 'PATCH', '/visits/V-00023', { notes: 'x' }, stale)).toMatchObject({ status: 412 });
    const fits = { ...keyed('k-5'), 'if-match': '"1"' };
    expect(await send(clinic, 'PATCH', '/visits/V-00023', { notes: 'x' }, fits)).toMatchObject({
      status: 200,
      isReplayed: false,
    });
  });

  test('that is no key is refused', async () => {
    expect(await send(clinic, 'PATCH', '/visits/V-00024', { notes: 'x' }, keyed('a b'))).toMatchObject({ status: 400 });
  });

  test('is remembered over kill -9, together with its record', async () => {
    const first = await openClinic();
    const patch = ['PATCH', '/visits/V-00001', { notes: 'kept' }, keyed('k-6')] as const;
    await send(first, ...patch);
    await first.program.kill();
    const again = await openClinic(first.folder);
    expect(await send(again, ...patch)).toMatchObject({ isReplayed: true, body: { version: 2, notes: 'kept' } });
    const stored = JSON.parse(readFileSync(join(first.folder, 'visits.json'), 'utf8')) as { requests: object[] };
    expect(stored.requests).toMatchObject([{ key: 'k-6', id: 'V-00001' }]);
  });
});

describe('the book of incidents', () => {
  test('numbers what is filed, never twice, and finds it by its reference', async () => {
    const clinic = await openClinic();
    const made = await send(clinic, 'POST', '/incidents', { ...INCIDENT, externalRef: 'r-1' });
    expect(made).toMatchObject({ status: 201, body: { id: 1049, version: 1 } });
    const found = await send(clinic, 'GET', '/incidents?externalRef=r-1');
    expect(found.body).toMatchObject([{ id: 1049 }]);
    expect((await send(clinic, 'GET', '/incidents?externalRef=r-2')).body).toEqual([]);
    expect(await send(clinic, 'DELETE', '/incidents/1049', undefined, { 'if-match': '"1"' })).toMatchObject({
      status: 200,
    });
    await clinic.program.kill();
    const again = await openClinic(clinic.folder);
    expect(await send(again, 'POST', '/incidents', INCIDENT)).toMatchObject({ body: { id: 1050 } });
  });

  test('takes neither the ids nor the keys of its callers', async () => {
    const clinic = await openClinic();
    const own = await send(clinic, 'POST', '/incidents', { id: 7, ...INCIDENT });
    expect(own).toMatchObject({ status: 422, body: { field: 'id' } });
    const twice = [1, 2].map(() => send(clinic, 'POST', '/incidents', INCIDENT, keyed('k-7')));
    const numbers = (await Promise.all(twice)).map(({ body }) => body['id']);
    expect(new Set(numbers)).toEqual(new Set([1049, 1050]));
  });
});
