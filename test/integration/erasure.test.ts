import { until } from '../support/until.js';
import { openLeavingWard, type LeavingWard } from './leaving-ward.js';

const TEXT = 'CANARY-of-the-record';
const PERSON = 'canary.person';
const PULL =
  'query ($since: Checkpoint) { pull(since: $since) { changes { id kind version json } receipts { changeId error { message } } checkpoint reset } }';
const PUSH = `mutation ($changes: [ChangeInput!]!) { push(changes: $changes) { results {
  changeId status error { code message } change { kind json } conflict { yours } } } }`;
const ERASED =
  'erased { states keys marks answers keptEdits listed devices registrations scopes } unknown refused { error { code } }';
const ERASE_RECORD = `mutation ($id: ID!) { eraseRecords(collection: "visits", ids: [$id]) { ${ERASED} remains { what until } } }`;
const ERASE_USER = `mutation ($user: String!) { eraseUser(user: $user) { ${ERASED} remains { what until } } }`;
/** Everything that anybody can be told. */
const QUESTIONS = [
  PULL,
  '{ outbox { changes { user fields error { message } call { sourceKey fields } } } }',
  '{ conflicts { conflicts { user device error { message } conflict { yours theirs { json } } } } }',
  '{ quarantine(collection: "visits") { sourceKey reason } }',
  '{ ingest { collection state } }',
];

let ward: LeavingWard;

beforeAll(async () => {
  ward = await openLeavingWard();
});

afterAll(() => ward.stop());

interface Page {
  readonly changes: readonly { readonly id: string; readonly kind: string; readonly version: string }[];
  readonly checkpoint: string;
}

async function pull(user: string, device: string, since: string | null = null): Promise<Page> {
  return ((await ward.ask(PULL, { since }, { user, device })).body.data as { readonly pull: Page }).pull;
}

const versionOf = ({ changes }: Page, named: string): string => changes.find(({ id }) => id === named)?.version ?? '';

async function push(user: string, changeId: string, id: string, baseVersion: string, notes: string) {
  const edit = { collection: 'visits', id, kind: 'UPSERT', changedAt: '2026-01-01T08:00:00Z' };
  const changes = [{ ...edit, changeId, baseVersion, json: { notes } }];
  const { body } = await ward.ask(PUSH, { changes }, { user, device: 'tablet' });
  return (body.data as { readonly push: { readonly results: readonly { readonly status: string }[] } }).push.results[0];
}

/** Where a text rests: every column of every table that has it. */
async function restingPlaces(text: string): Promise<readonly string[]> {
  const { rows } = await ward.database.query<{ at: string; has_it: boolean }>(
    `select table_name || '.' || column_name as at, query_to_xml(
       format('select 1 from %I where position(%L in %I::text) > 0 limit 1', table_name, $1::text, column_name), false, true, ''
     )::text <> '' as has_it
     from information_schema.columns where table_schema = 'public' order by 1`,
    [text],
  );
  expect(rows.length).toBeGreaterThan(100);
  return rows.filter((row) => row.has_it).map(({ at }) => at);
}

async function answers(user: string, device: string): Promise<string> {
  const asked = QUESTIONS.map(async (query) => JSON.stringify((await ward.ask(query, {}, { user, device })).body));
  const asOperator = QUESTIONS.map(async (query) => JSON.stringify((await ward.asOperator(query)).body));
  const metrics = await fetch(`${ward.url()}/metrics`, {
    headers: { authorization: `Bearer ${await ward.token('office', true)}` },
  });
  return [...(await Promise.all([...asked, ...asOperator])), await metrics.text()].join('\n');
}

test('of a record that is erased nothing is left in any column, nor told by anybody, and devices that held it remove it', async () => {
  ward.notes.set('V-1', TEXT);
  await ward.asOperator('mutation { scanNow(collection: "visits") { state } }');
  await until('the source is read', async () => JSON.stringify(await pull('nurse', 'tablet')).includes(TEXT));
  const held = await pull('dispatcher', 'tablet');
  const version = versionOf(held, 'V-1');
  expect(await push('nurse', 'c1', 'V-1', version, `${TEXT}, edited`)).toMatchObject({ status: 'APPLIED' });
  expect(await push('dispatcher', 'c2', 'V-1', version, `${TEXT}, too`)).toMatchObject({ status: 'CONFLICT' });
  expect((await ward.asOperator(ERASE_RECORD, { id: 'V-1' })).body.data).toMatchObject({
    eraseRecords: { refused: [{ error: { code: 'STILL_THERE' } }] },
  });

  ward.notes.delete('V-1');
  await ward.asOperator('mutation { scanNow(collection: "visits") { state } }');
  await until('it is gone', async () => !JSON.stringify(await pull('nurse', 'other')).includes(TEXT));
  // What a source says, a key, and what only a version before this one kept.
  await plant(
    `update push_change set error = jsonb_set(coalesce(error, '{"code":"SOURCE_REFUSED"}')::jsonb, '{message}', to_jsonb($1::text))::text`,
  );
  await plant(`update push_change set body_hash = $1 where change_id = 'c1'`);
  await plant(
    `update record set source_key = $1, vis = $1, hash = $1, source_version = $1, via = 'k patients ' || $1 where id = 'V-1'`,
  );
  await plant(`update record set stamps = jsonb_build_object($1::text, '[1, "source"]'::jsonb) where id = 'V-1'`);
  expect(await restingPlaces(TEXT)).toEqual([
    'push_change.body_hash',
    'push_change.error',
    'push_change.kept',
    'record.body',
    'record.hash',
    'record.source_key',
    'record.source_version',
    'record.stamps',
    'record.via',
    'record.vis',
  ]);

  const { eraseRecords } = (await ward.asOperator(ERASE_RECORD, { id: 'V-1' })).body.data as { eraseRecords: object };
  expect(eraseRecords).toMatchObject({
    erased: { states: 1, keys: 1, marks: 1, answers: 2, keptEdits: 1 },
    unknown: [],
    refused: [],
    remains: expect.arrayContaining([
      { what: expect.stringContaining('its tombstone'), until: expect.stringContaining('90 days') },
    ]) as unknown,
  });
  expect(await restingPlaces(TEXT)).toEqual([]);
  const told = [await answers('nurse', 'tablet'), await answers('dispatcher', 'tablet')].join('\n');
  expect(told).not.toContain('CANARY');
  const next = await pull('dispatcher', 'tablet', held.checkpoint);
  expect(next.changes.map(({ id, kind }) => `${kind} ${id}`)).toContain('DELETE V-1');
  // What it pushes on top of it is not kept either.
  expect(await push('dispatcher', 'c3', 'V-1', version, `${TEXT}, again`)).toMatchObject({
    status: 'REJECTED',
    error: { code: 'NOT_FOUND' },
  });
  expect(await restingPlaces(TEXT)).toEqual([]);
});

test('of a user who is erased only the revoked devices and the audit log have the name', async () => {
  const seen = await pull(PERSON, 'tablet');
  const token = 'mutation { registerDevice(platform: IOS, token: "canary.person-token") { id } }';
  await ward.ask(token, {}, { user: PERSON, device: 'tablet' });
  expect(await push(PERSON, 'c1', 'V-2', versionOf(seen, 'V-2'), 'by somebody')).toMatchObject({ status: 'APPLIED' });
  expect(await push(PERSON, 'c2', 'V-3', versionOf(seen, 'V-3'), 'canary.person wrote this')).toMatchObject({
    status: 'APPLIED',
  });
  const hidden = `device:${encodeURIComponent(PERSON)}/tablet`;
  await ward.database.query(
    `insert into membership (record_no, tenant, collection, scope, entered, seq, "left") select record_no, tenant, collection, $1, 1, 1, true from record where id = 'V-2'`,
    [hidden],
  );
  await ward.database.query(
    `insert into presence (tenant, user_id, device, node, until) values ('default', $1, 'tablet', 'node', now())`,
    [PERSON],
  );
  await ward.database.query(`insert into scope (tenant, collection, scope) values ('default', 'visits', $1)`, [hidden]);
  await ward.database.query(`insert into scope_set (tenant, hash, pairs) values ('default', 'own', $1)`, [
    JSON.stringify([{ collection: 'visits', scope: hidden }]),
  ]);
  await ward.database.query(`update push_change set kept = $1 where change_id = 'c2' and user_id = $2`, [
    `{"fields":{"notes":"of ${PERSON}"}}`,
    PERSON,
  ]);
  expect(await restingPlaces(PERSON)).toEqual([
    'device.user_id',
    'membership.scope',
    'phone.token',
    'phone.user_id',
    'presence.user_id',
    'push_change.kept',
    'push_change.user_id',
    'record.body',
    'record.stamps',
    'scope.scope',
    'scope_set.pairs',
  ]);

  const { eraseUser } = (await ward.asOperator(ERASE_USER, { user: PERSON })).body.data as { eraseUser: object };
  expect(eraseUser).toMatchObject({
    erased: { devices: 1, registrations: 1, answers: 2, keptEdits: 1, marks: 2, scopes: 1 },
    remains: expect.arrayContaining([
      { what: expect.stringContaining('names of the user'), until: 'for ever' },
    ]) as unknown,
  });
  // What it wrote is the record's: that is erased by its id.
  expect(await restingPlaces(PERSON)).toEqual(['audit.subject', 'device.user_id', 'record.body']);
  const { body } = await ward.ask(PULL, { since: seen.checkpoint }, { user: PERSON, device: 'tablet' });
  expect(body.errors?.[0]?.extensions.code).toBe('DEVICE_REVOKED');
  expect((await ward.asOperator(ERASE_USER, { user: PERSON })).body.data).toMatchObject({
    eraseUser: { erased: { devices: 0, registrations: 0, answers: 0, keptEdits: 0, marks: 0, scopes: 0 } },
  });
});

test('a user with open changes is not erased, and is not revoked either', async () => {
  const seen = await pull('doctor', 'tablet');
  ward.loseAnswers(true);
  expect(await push('doctor', 'c1', 'V-2', versionOf(seen, 'V-2'), 'lost')).toMatchObject({ status: 'ACCEPTED' });
  const refused = await ward.asOperator(ERASE_USER, { user: 'doctor' });
  expect(refused.body.errors).toMatchObject([
    { message: expect.stringMatching(/1 are to be settled first: \d+$/), extensions: { code: 'RECORD_BLOCKED' } },
  ]);
  expect((await pull('doctor', 'tablet', seen.checkpoint)).changes).toBeDefined();
  ward.loseAnswers(false);
});

async function plant(statement: string): Promise<void> {
  const { rowCount } = await ward.database.query(statement, [TEXT]);
  expect(rowCount).toBeGreaterThan(0);
}
