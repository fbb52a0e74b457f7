import { buildSchema } from 'graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { printSchemaOf } from '../../src/server/app.js';
import { until } from '../support/until.js';
import { PROBES, type Foreign } from './operations.js';
import { startTwoTenants, type Person, type TwoTenants } from './two-tenants.js';

const CHANGES = '{ pull { changes { id version json } checkpoint epoch } }';
const PHONE = 'phone-of-south';

let world: TwoTenants;
/** Who attacks: a user and an operator of the north, by the names that the south has too. */
let attackers: readonly Person[];
let nurse: Person;
let southNurse: Person;
let southOperator: Person;
/** What is of the south, and the same of nobody. */
let theirs: Foreign;
let nobodys: Foreign;

interface Page {
  readonly changes: readonly { readonly id: string; readonly version: string; readonly json: unknown }[];
  readonly checkpoint: string;
  readonly epoch: string;
  readonly reset: boolean;
}

beforeAll(async () => {
  world = await startTwoTenants();
  const user = 'nurse';
  nurse = await world.person({ tenant: 'north', user });
  attackers = [nurse, await world.person({ tenant: 'north', user, isOperator: true })];
  southNurse = await world.person({ tenant: 'south', user });
  southOperator = await world.person({ tenant: 'south', user: 'office', isOperator: true });
  // Of the north there is what nobody has any more: a checkpoint of an epoch that is gone.
  const gone = await page(await world.person({ tenant: 'north', user: 'who is gone' }));
  await data(attackers[1] as Person, 'mutation ($from: String!) { newEpoch(from: $from) }', { from: gone.epoch });
  theirs = await fillSouth();
  nobodys = {
    checkpoint: gone.checkpoint,
    id: 'V-nobody',
    version: `00000000.${theirs.version.split('.')[1]}`,
    epoch: '00000000',
    changeId: 'change-of-nobody',
    conflictId: 'conflict-of-nobody',
    device: 'phone-of-nobody',
    user: 'somebody',
    token: 'token-of-nobody',
    intentNo: String(Number(theirs.intentNo) + 1_000),
    place: String(Number(theirs.place) + 1_000),
    sourceKey: 'V-nobody',
  };
  await wake('north');
  await until('the north is read again', async () => world.north.counts.lists >= 2);
});

afterAll(() => world.stop());

/** In the south: a device that hints may go to, a settled change, a parked one, a kept conflict, a record that is set aside. */
async function fillSouth(): Promise<Foreign> {
  const as = { 'tidegate-device': PHONE };
  const seen = await page(southNurse, as);
  // A device that nobody of another tenant has, whatever it calls itself.
  await page(southNurse, { 'tidegate-device': `${PHONE}-spare` });
  const versions = new Map(seen.changes.map(({ id, version }) => [id, version]));
  await data(southNurse, 'mutation { registerDevice(platform: IOS, token: "token-of-south") { id } }', {}, as);
  const push = async (changeId: string, id: string, baseVersion: string | undefined, device = PHONE) => {
    const json = { notes: `${changeId} by the nurse` };
    const change = {
      changeId,
      collection: 'visits',
      id,
      kind: 'UPSERT',
      baseVersion,
      changedAt: '2026-01-01T08:00:00Z',
      json,
    };
    const query = 'mutation ($changes: [ChangeInput!]!) { push(changes: $changes) { results { status } } }';
    const { push: pushed } = await data<{ push: { results: { status: string }[] } }>(
      southNurse,
      query,
      { changes: [change] },
      { 'tidegate-device': device },
    );
    return pushed.results[0]?.status;
  };
  expect(await push('change-of-south', 'V-south', versions.get('V-south'))).toBe('APPLIED');
  expect(await push('earlier', 'V-2', versions.get('V-2'), 'desk')).toBe('APPLIED');
  expect(await push('conflict-of-south', 'V-2', versions.get('V-2'))).toBe('CONFLICT');
  world.south.loseNextAnswer();
  expect(await push('parked-of-south', 'V-1', versions.get('V-1'))).toMatch(/ACCEPTED|PARKED/);
  let intentNo = '';
  await until('the change is parked', async () => {
    const query = '{ outbox(states: [PARKED]) { changes { intentNo } } }';
    const { outbox } = await data<{ outbox: { changes: { intentNo: string }[] } }>(southOperator, query);
    intentNo = outbox.changes[0]?.intentNo ?? '';
    return intentNo !== '';
  });
  const { conflicts } = await data<{ conflicts: { conflicts: { changeId: string }[] } }>(
    southOperator,
    '{ conflicts { conflicts { changeId } } }',
  );
  expect(conflicts.conflicts).toEqual([{ changeId: 'conflict-of-south' }]);
  // Nothing of it moves by itself any more.
  await until('the parked change is shown', async () =>
    (await southNurse.ask('{ pull { changes { pending } } }')).includes('true'),
  );
  const after = await page(southNurse, as);
  return {
    checkpoint: after.checkpoint,
    id: 'V-south',
    version: after.changes.find(({ id }) => id === 'V-south')?.version ?? '',
    epoch: after.epoch,
    changeId: 'change-of-south',
    conflictId: 'conflict-of-south',
    device: PHONE,
    user: 'nurse',
    token: 'token-of-south',
    intentNo,
    place: '1',
    sourceKey: 'V-south',
  };
}

test('attack 37: every operation of the schema is entered with what a user of another tenant could put into it', async () => {
  const schema = buildSchema(await printSchemaOf(world.config));
  const operations = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap((type) =>
    Object.keys(type?.getFields() ?? {}).map((name) => `${type?.name}.${name}`),
  );
  expect(operations.length).toBeGreaterThan(15);
  expect(Object.keys(PROBES).sort()).toEqual(operations.sort());
});

describe.each(Object.keys(PROBES))('attack 37: %s', (operation) => {
  test.each([
    ['user', 0],
    ['operator', 1],
  ] as const)(
    'with what another tenant has, a %s reads nothing, writes nothing, and is answered as if nobody had it',
    async (_who, at) => {
      const attacker = attackers[at] as Person;
      const probesOf = PROBES[operation] as (typeof PROBES)[string];
      const before = { rows: await world.rowsOf('south'), counts: { ...world.south.counts } };
      for (const device of ['none', 'theirs'] as const) {
        const [asTheirs, asNobodys] = [theirs, nobodys].map((names) => ({
          names,
          probes: probesOf(names),
          headers: device === 'none' ? {} : { 'tidegate-device': names.device },
        }));
        for (let probe = 0; probe < (asTheirs?.probes.length ?? 0); probe++) {
          const [theirAnswer, nobodysAnswer] = [
            await answerOf(attacker, asTheirs, probe),
            await answerOf(attacker, asNobodys, probe),
          ];
          expect(theirAnswer).toBe(nobodysAnswer);
          // Else both would be alike because neither is asked.
          expect(theirAnswer).not.toContain('GRAPHQL_');
          expect(theirAnswer).not.toContain('south');
          expect(theirAnswer).not.toMatch(/ by the nurse/);
        }
      }
      expect(await world.rowsOf('south')).toBe(before.rows);
      expect(world.south.counts).toEqual(before.counts);
    },
  );
});

test('attack 37: the owner is served what the others were refused', async () => {
  const own = await page(southNurse, { 'tidegate-device': PHONE }, theirs.checkpoint);
  expect([own.reset, own.changes]).toEqual([false, []]);
  expect(await southOperator.ask('{ quarantine(collection: "visits") { sourceKey } }')).toContain('V-bad-south');
  const query = 'mutation ($no: ID!) { rejectChange(intentNo: $no, reason: "rang twice") { changeId status } }';
  expect(await southOperator.ask(query, { no: theirs.intentNo })).toContain('"status":"REJECTED"');
});

test("attack 17: a checkpoint of another user or tenant begins anew with what is the asker's own; a forged one is refused", async () => {
  const mine = await page(nurse);
  const other = await world.person({ tenant: 'north', user: 'another nurse' });
  for (const [who, since] of [
    [nurse, theirs.checkpoint],
    [other, mine.checkpoint],
  ] as const) {
    const begun = await page(who, {}, since);
    expect(begun.reset).toBe(true);
    expect(begun.changes.map(({ json }) => JSON.stringify(json))).toEqual(
      mine.changes.map(({ json }) => JSON.stringify(json)),
    );
  }
  const at = mine.checkpoint.length - 5;
  const forged = `${mine.checkpoint.slice(0, at)}${mine.checkpoint[at] === 'A' ? 'B' : 'A'}${mine.checkpoint.slice(at + 1)}`;
  const query = 'query ($since: Checkpoint) { pull(since: $since) { reset } }';
  expect(await nurse.ask(query, { since: forged })).toContain('BAD_CHECKPOINT');
});

test('attack 33: headers that name a tenant, a user or another address are ignored', async () => {
  const plain = withoutChance(await nurse.ask(CHANGES));
  const names = ['x-tenant', 'x-tenant-id', 'tidegate-tenant', 'tenant', 'x-scope-orgid', 'x-user', 'x-forwarded-user'];
  for (const name of names) expect(withoutChance(await nurse.ask(CHANGES, {}, { [name]: 'south' }))).toBe(plain);
  const forwarded = { 'x-forwarded-for': '10.0.0.1', 'x-forwarded-host': 'south.example', forwarded: 'host=south' };
  expect(withoutChance(await nurse.ask(CHANGES, {}, forwarded))).toBe(plain);
  expect(plain).toContain('own note of north');
});

test('a webhook of one tenant wakes that tenant only, and its proof is worth nothing elsewhere', async () => {
  const hook = async (address: string, secret: string): Promise<string> => {
    const headers = { 'x-token': secret };
    const answer = await fetch(`${world.url}/webhooks/${address}`, { method: 'POST', headers, body: '{}' });
    return `${answer.status} ${(await answer.text()).replaceAll(address.split('/').at(-1) as string, '…')}`;
  };
  const before = { north: world.north.counts.lists, south: world.south.counts.lists };
  expect(await hook('north/office', world.north.secret)).toMatch(/^202/);
  await until('the north is read', async () => world.north.counts.lists > before.north);
  expect(await hook('south/office', world.north.secret)).toMatch(/^401/);
  expect(world.south.counts.lists).toBe(before.south);
  const absent = await hook('south/nothing', world.north.secret);
  expect(absent).toMatch(/^404/);
  for (const address of ['west/nothing', 'nothing', 'west/office', 'office'])
    expect(await hook(address, world.north.secret)).toBe(absent);
});

test('hints of one tenant never reach another', async () => {
  const heard = { north: 0, south: 0 };
  const listen = async (who: Person, tenant: 'north' | 'south') => {
    const client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      // Of the other tenant, too, there is a device of this name.
      connectionParams: { authorization: who.authorization, device: 'listener' },
    });
    const next = (): void => void (heard[tenant] += 1);
    client.subscribe(
      { query: 'subscription { hints { collections at } }' },
      { next, error: () => undefined, complete: () => undefined },
    );
    // What was sent before is heard before.
    await client.iterate({ query: '{ collections { name } }' }).next();
    return client;
  };
  const clients = [await listen(nurse, 'north'), await listen(southNurse, 'south')];
  const change = async (tenant: 'north' | 'south', text: string): Promise<void> => {
    const before = heard[tenant];
    world[tenant].notes.set('V-2', text);
    await wake(tenant);
    await until(`${tenant} is hinted of "${text}"`, async () => heard[tenant] > before);
  };
  for (const text of ['one', 'two', 'three']) await change('south', text);
  await change('north', 'ours');
  expect(heard.north).toBe(1);
  for (const client of clients) await client.dispose();
});

test('an operator reads the metrics of its own tenant, who may read every tenant those of all', async () => {
  const metrics = async ({ authorization }: Person): Promise<string> =>
    (await fetch(`${world.url}/metrics`, { headers: { authorization } })).text();
  const own = await metrics(attackers[1] as Person);
  expect(own).toContain('tidegate_collection_records{tenant="north",collection="visits"} 3');
  expect(own).not.toMatch(/south|tidegate_sockets|process_/);
  const all = await metrics(
    await world.person({ tenant: 'north', user: 'x', isOperator: true, readsEveryTenant: true }),
  );
  for (const said of [
    'tenant="north"',
    'tenant="south"',
    'tidegate_sockets',
    'tidegate_collection_quarantined{tenant="south"',
  ])
    expect(all).toContain(said);
  expect(await metrics(await world.person({ tenant: 'north', user: 'x', readsEveryTenant: true }))).toContain(
    'FORBIDDEN',
  );
  expect((await fetch(`${world.url}/readyz`)).status).toBe(200);
});

test('a token whose tenant is none of ours is let in nowhere', async () => {
  const stranger = await world.person({ tenant: 'west', user: 'nurse', isOperator: true });
  expect(await stranger.ask('{ epoch }')).toContain('"code":"INTERNAL"');
});

async function answerOf(
  who: Person,
  asked:
    | {
        readonly names: Foreign;
        readonly probes: ReturnType<(typeof PROBES)[string]>;
        readonly headers: Record<string, string>;
      }
    | undefined,
  at: number,
): Promise<string> {
  const { query = '', variables } = asked?.probes[at] ?? {};
  let answer = withoutChance(await who.ask(query, variables, asked?.headers));
  // What was sent may be said back.
  const sent = Object.entries(asked?.names ?? {}).filter(([, name]) => String(name).length > 2);
  for (const [kind, name] of sent.sort(([, a], [, b]) => String(b).length - String(a).length))
    answer = answer.replaceAll(String(name), `<${kind === 'sourceKey' ? 'id' : kind}>`);
  return answer;
}

/** The office says that something changed. */
async function wake(tenant: 'north' | 'south'): Promise<void> {
  const headers = { 'x-token': world[tenant].secret };
  await fetch(`${world.url}/webhooks/${tenant}/office`, { method: 'POST', headers, body: '{}' });
}

/** Checkpoints and times are others in each answer. */
function withoutChance(answer: string): string {
  return answer.replaceAll(/"checkpoint":"[^"]*"/g, '"checkpoint":"…"').replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'then');
}

async function data<Data>(
  who: Person,
  query: string,
  variables: object = {},
  headers: Record<string, string> = {},
): Promise<Data> {
  const answer = await who.ask(query, variables, headers);
  expect(answer).not.toContain('"errors"');
  return (JSON.parse(answer.slice(4)) as { readonly data: Data }).data;
}

async function page(who: Person, headers: Record<string, string> = {}, since: string | null = null): Promise<Page> {
  const query =
    'query ($since: Checkpoint) { pull(since: $since) { changes { id version json } checkpoint epoch reset } }';
  return (await data<{ readonly pull: Page }>(who, query, { since }, headers)).pull;
}
