import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildDemo, type RunningProgram } from './built-demo.js';

type Visit = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly version: number;
  readonly updatedAt: string;
};

const demo = buildDemo();
afterAll(() => demo.remove());

async function openClinic(
  folder = demo.newFolder(),
): Promise<{ url: string; folder: string; program: RunningProgram }> {
  const program = demo.start('rest-source', ['--folder', folder, '--today', '2026-11-24']);
  const [, url = ''] = await program.line(/(http:\S+)/);
  return { url, folder, program };
}

async function send(
  url: string,
  method: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<Response> {
  return await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function json<T = Visit>(answer: Response | Promise<Response>): Promise<T> {
  return (await (await answer).json()) as T;
}

const NEW_VISIT = {
  patientId: 'P-0001',
  staffId: null,
  routeId: 'R-01',
  kind: 'woundCare',
  status: 'planned',
  plannedAt: '2026-11-25T08:00:00.000Z',
  durationMinutes: 30,
  price: '38.50',
};

describe('the clinic, read', () => {
  let url: string;
  beforeAll(async () => ({ url } = await openClinic()));

  test('places hold 7,244 records of the real register, with their umlauts', async () => {
    const answer = await fetch(`${url}/places?_limit=1`);
    expect(answer.headers.get('x-total-count')).toBe('7244');
    expect(await json(fetch(`${url}/places?name=Zw%C3%B6nitz`))).toMatchObject([{ id: '2803476', state: 'SN' }]);
  });

  test('pages in order of id, each beginning with the last record of the one before, show every visit once', async () => {
    const ids: string[] = [];
    for (let last = ''; ;) {
      const page = await json<Visit[]>(fetch(`${url}/visits?id_gte=${last}&_sort=id&_limit=300`));
      const fresh = page.filter((visit) => visit.id !== last);
      if (last !== '') expect(page[0]?.id).toBe(last);
      if (fresh.length === 0) break;
      ids.push(...fresh.map((visit) => visit.id));
      last = ids.at(-1) ?? '';
    }
    expect(ids).toHaveLength(2000);
    expect(new Set(ids).size).toBe(2000);
  });

  test('pages by number name the next one in Link and the count in X-Total-Count', async () => {
    let next: string | undefined = `${url}/patients?_sort=id&_page=1&_limit=150`;
    let seen = 0;
    while (next !== undefined) {
      const answer: Response = await fetch(next);
      expect(answer.headers.get('x-total-count')).toBe('360');
      seen += (await json<Visit[]>(answer)).length;
      next = /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
    }
    expect(seen).toBe(360);
  });

  test('updatedAt_gte is inclusive, and what was written is found by it in the order of writing', async () => {
    const first = await json(send(`${url}/visits/V-00300`, 'PATCH', { notes: 'first' }));
    const second = await json(send(`${url}/visits/V-00200`, 'PATCH', { notes: 'second' }));
    const since = (moment: string): string =>
      `${url}/visits?updatedAt_gte=${encodeURIComponent(moment)}&_sort=updatedAt,id&_order=asc,asc`;
    const found = await json<Visit[]>(fetch(since(first.updatedAt)));
    expect(found.map((visit) => visit.id)).toEqual(
      first.updatedAt === second.updatedAt ? ['V-00200', 'V-00300'] : ['V-00300', 'V-00200'],
    );
    expect(second.updatedAt >= first.updatedAt).toBe(true);
    expect(await json(fetch(since(new Date(Date.parse(second.updatedAt) + 1).toISOString())))).toEqual([]);
  });

  test('no two records of a new collection have the same time of change', async () => {
    for (const collection of ['places', 'routes', 'staff', 'patients']) {
      const records = await json<Visit[]>(fetch(`${url}/${collection}`));
      expect(new Set(records.map((record) => record.updatedAt)).size).toBe(records.length);
    }
  });
});

describe('the clinic, written', () => {
  let url: string;
  beforeAll(async () => ({ url } = await openClinic()));

  test('a single record carries its version as a strong ETag, and so does the answer of a write', async () => {
    const before = await fetch(`${url}/visits/V-00010`);
    expect(before.headers.get('etag')).toBe('"1"');
    const after = await send(`${url}/visits/V-00010`, 'PATCH', { notes: 'x', version: 99 }, { 'if-match': '"1"' });
    expect(after.status).toBe(200);
    expect(after.headers.get('etag')).toBe('"2"');
    expect(await json(after)).toMatchObject({ notes: 'x', version: 2, patientId: expect.any(String) as string });
  });

  test.each(['PATCH', 'PUT', 'DELETE'])(
    '%s with If-Match of another version is refused with 412 and changes nothing',
    async (method) => {
      const before = await json(fetch(`${url}/visits/V-00011`));
      const answer = await send(`${url}/visits/V-00011`, method, { notes: 'lost update' }, { 'if-match': '"7"' });
      expect(answer.status).toBe(412);
      expect(answer.headers.get('etag')).toBe(`"${before.version}"`);
      expect(await json(fetch(`${url}/visits/V-00011`))).toEqual(before);
    },
  );

  test('a new visit keeps the id that the caller gave, and a second one with it is refused with 409', async () => {
    const id = '0d0f3a58-5a8e-4f7e-9d57-0f5a3f1c2b11';
    const made = await send(`${url}/visits`, 'POST', { id, ...NEW_VISIT });
    expect(made.status).toBe(201);
    expect(await json(made)).toMatchObject({ id, version: 1 });
    const again = await send(`${url}/visits`, 'POST', { id, ...NEW_VISIT });
    expect(again.status).toBe(409);
    expect(await json(again)).toMatchObject({ field: 'id' });
  });

  test('a new visit without an id gets one', async () => {
    const made = await json(send(`${url}/visits`, 'POST', NEW_VISIT));
    expect(await json(fetch(`${url}/visits/${made.id}`))).toEqual(made);
  });

  test.each([
    ['status', { status: 'perhaps' }],
    ['durationMinutes', { durationMinutes: 4 }],
    ['plannedAt', { plannedAt: '2026-02-30T08:00:00Z' }],
    ['price', { price: 38.5 }],
    ['patientId', { patientId: 'P-9999' }],
    ['patientId', { patientId: null }],
    ['colour', { colour: 'red' }],
  ])('a visit whose %s does not fit is refused with 422 and the field', async (field, fields) => {
    for (const answer of [
      await send(`${url}/visits`, 'POST', { ...NEW_VISIT, ...fields }),
      await send(`${url}/visits/V-00012`, 'PATCH', fields),
    ]) {
      expect(answer.status).toBe(422);
      expect(await json(answer)).toMatchObject({ field });
    }
  });

  test('a patient with visits stays; a visit goes and leaves nothing', async () => {
    const visit = await json(fetch(`${url}/visits/V-00013`));
    expect((await send(`${url}/patients/${String(visit['patientId'])}`, 'DELETE')).status).toBe(409);
    expect((await send(`${url}/visits/V-00013`, 'DELETE', undefined, { 'if-match': '"1"' })).status).toBe(200);
    expect((await fetch(`${url}/visits/V-00013`)).status).toBe(404);
    expect((await send(`${url}/visits/V-00013`, 'DELETE')).status).toBe(404);
  });

  test('no path and no header leads around the rules', async () => {
    expect((await send(`${url}/Visits/V-00014`, 'PATCH', { status: 'perhaps' })).status).toBe(422);
    expect(
      (await send(`${url}/visits/V-00014`, 'PATCH', { status: 'done' }, { 'x-http-method-override': 'DELETE' })).status,
    ).toBe(200);
    expect((await send(`${url}/patients/P-0001/visits`, 'POST', { colour: 'red' })).status).toBe(404);
    expect((await fetch(`${url}/visits/V-00014`)).status).toBe(200);
  });

  test('a body that is no JSON is the caller’s fault and shows nothing of the inside', async () => {
    const answer = await fetch(`${url}/visits`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"a":',
    });
    expect(answer.status).toBe(400);
    expect(await answer.text()).not.toMatch(/\.js|node_modules/);
  });
});

describe('the clinic, killed', () => {
  test('every answered write is there after kill -9 in the middle of writing', async () => {
    const { url, folder, program } = await openClinic();
    const answered = new Map<string, number>();
    let writing = true;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let turn = 0; writing; turn += 1) {
        const id = `W-${writer}-${turn}`;
        try {
          const made = await json(send(`${url}/visits`, 'POST', { id, ...NEW_VISIT }));
          answered.set(id, made.version);
          const changed = await json(send(`${url}/visits/${id}`, 'PATCH', { notes: `turn ${turn}` }));
          answered.set(id, changed.version);
        } catch {
          return;
        }
        // Two writers may count at once: the one that comes first to forty or past it kills.
        if (writing && answered.size >= 40) {
          writing = false;
          await program.kill();
        }
      }
    });
    await Promise.all(writers);
    const again = await openClinic(folder);
    for (const [id, version] of answered) {
      const found = await json(fetch(`${again.url}/visits/${id}`));
      expect(found.version).toBeGreaterThanOrEqual(version);
    }
    expect(answered.size).toBeGreaterThanOrEqual(40);
  });

  test('a write that cannot be stored answers 500 and is not seen by the next reader', async () => {
    const { url, folder } = await openClinic();
    renameSync(folder, `${folder}-away`);
    const answer = await send(`${url}/visits/V-00001`, 'PATCH', { notes: 'not stored' });
    expect(answer.status).toBe(500);
    mkdirSync(folder);
    rmSync(folder, { recursive: true });
    renameSync(`${folder}-away`, folder);
    expect(await json(fetch(`${url}/visits/V-00001`))).toMatchObject({ version: 1 });
    expect((await send(`${url}/visits/V-00001`, 'PATCH', { notes: 'stored' })).status).toBe(200);
    expect(readFileSync(join(folder, 'visits.json'), 'utf8')).toContain('"notes":"stored"');
  });
});
