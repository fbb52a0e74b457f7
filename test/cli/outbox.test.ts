import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startGatewayProcess, stopGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { runProgram } from '../support/program.js';
import { until } from '../support/until.js';

/** A system that cannot be asked for one record, takes no idempotency key, and loses an answer when it is told to. */
interface ForgetfulSystem {
  readonly url: string;
  readonly notes: Map<string, string>;
  /** Notes of the writes that it took, in order. */
  readonly taken: string[];
  /** Its next write takes effect, and the connection ends without an answer. */
  loseNextAnswer(): void;
  stop(): Promise<void>;
}

let folder: string;
let system: ForgetfulSystem;
let gateway: GatewayProcess;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'tidegate-outbox-'));
  system = await startForgetfulSystem(['V-1', 'V-2', 'V-3', 'V-4', 'V-5']);
  const settings = { TIDEGATE_CONFIG: configuration(), TIDEGATE_DATA: path.join(folder, 'data') };
  gateway = await startGatewayProcess(['start'], settings, folder);
  await until('the first ingest is complete', async () => (await pull()).changes.length === 5);
});

afterAll(async () => {
  await stopGatewayProcess(gateway);
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('R11: a parked change is listed and shown, and sent again only when the operator accepts a second effect', async () => {
  const number = await park('V-1', 'rang twice');
  const list = await outbox('list');
  expect(list).toMatchObject({ code: 0 });
  expect(list.output).toMatch(/^no +state +record +kind +device +accepted +sent +why$/m);
  expect(list.output).toMatch(new RegExp(`^${number} +PARKED +visits V-1 +UPSERT +developer/phone `, 'm'));
  expect(list.output).toMatch(/^1 open: 0 pending, 0 sent, 0 in doubt, 1 parked, the oldest since 20/m);
  const shown = await outbox('show', number);
  expect(shown).toMatchObject({ code: 0, output: expect.stringMatching(/^pushed +UPSERT \{"note":"rang twice"\}$/m) });
  expect(shown.output).toMatch(/^known +update of V-1 \(note\) was sent once/m);
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(metrics).toContain('tidegate_outbox_changes{tenant="default",state="PARKED"} 1');
  expect(metrics).toMatch(/^tidegate_outbox_oldest_seconds\{tenant="default"\} [0-9.]+$/m);

  const unsure = await outbox('retry', number);
  expect(unsure.code).toBe(8);
  expect(unsure.output).toMatch(
    /^tidegate: BAD_REQUEST: .*may take effect twice: update of V-1.*; say --yes if that may be\n$/,
  );
  expect(system.taken).toEqual(['rang twice']);
  expect(await outbox('retry', number, '--yes')).toMatchObject({ code: 0 });
  await until('it is sent again', async () => system.taken.length === 2);
  await until('nothing is open', async () => (await outbox('list')).output.startsWith('Nothing is open.'));
});

test('R11: a rejected change is REJECTED for its device, with the reason', async () => {
  const number = await park('V-2', 'no one at home');
  const rejected = await outbox('reject', number, '--reason', 'she was in the garden');
  expect(rejected).toEqual({
    code: 0,
    output: expect.stringMatching(/^change-V-2: REJECTED: she was in the garden\n$/),
  });
  expect((await pull()).receipts).toContainEqual({
    changeId: 'change-V-2',
    status: 'REJECTED',
    error: { code: 'OPERATOR_REFUSED', message: 'she was in the garden' },
  });
  const again = await outbox('reject', number, '--reason', 'she was in the garden');
  expect(again.code).toBe(8);
  expect(again.output).toMatch(/^tidegate: NOT_FOUND: .*visits V-2 is settled as REJECTED: she was in the garden\n$/);
  expect(await outbox('show', number)).toMatchObject({ code: 8, output: expect.stringContaining('NOT_FOUND') });
});

test('R11: a settled change is APPLIED and never sent again', async () => {
  const number = await park('V-3', 'all well');
  const taken = system.taken.length;
  expect(await outbox('settle', number, '--json')).toEqual({
    code: 0,
    output: `${JSON.stringify({ changeId: 'change-V-3', status: 'APPLIED', error: null }, null, 2)}\n`,
  });
  expect((await pull()).changes).toContainEqual(expect.objectContaining({ id: 'V-3', json: { note: 'all well' } }));
  expect(system.taken).toHaveLength(taken);
});

test('F19: kept conflicts are seen as base, theirs and yours; they are applied again, or forgotten', async () => {
  for (const id of ['V-4', 'V-5']) {
    const base = (await versionOf(id)) ?? '';
    expect(await push('desk', `office-${id}`, id, 'office', base)).toMatchObject({ status: 'APPLIED' });
    expect(await push('phone', `late-${id}`, id, 'nurse', base)).toMatchObject({
      status: 'CONFLICT',
      conflict: { baseVersion: base, fields: ['note'], yours: { note: 'nurse' }, theirs: { json: { note: 'office' } } },
    });
  }
  const page = await outbox('conflicts');
  expect(page.code).toBe(0);
  expect(page.output).toMatch(/^visits V-4: UPSERT late-V-4 of developer, device phone$/m);
  expect(page.output).toMatch(/^ {2}theirs +\S+ UPSERT \{"note":"office"\}\n {2}yours +\{"note":"nurse"\}$/m);
  const first = JSON.parse((await outbox('conflicts', '--limit', '1', '--json')).output);
  expect(first).toMatchObject({ conflicts: [{ changeId: 'late-V-4' }], next: expect.any(String) });

  const again = await outbox('reapply', 'phone', 'late-V-4');
  expect(again).toEqual({ code: 0, output: expect.stringMatching(/^reapplied-[0-9a-f]{40}: APPLIED\n$/) });
  expect(await outbox('reapply', 'phone', 'late-V-4')).toEqual(again);
  expect(system.notes.get('V-4')).toBe('nurse');
  expect(await outbox('dismiss', 'phone', 'late-V-5')).toEqual({ code: 0, output: 'Forgotten.\n' });
  expect(await outbox('dismiss', 'phone', 'late-V-5')).toEqual({ code: 0, output: 'None was kept.\n' });
  expect(await outbox('conflicts')).toEqual({ code: 0, output: 'No edit is kept.\n' });
  expect(await outbox('reapply', 'phone', 'late-V-5')).toMatchObject({ code: 8 });
});

describe('a command that cannot be done says why in one sentence, and with which exit code:', () => {
  test('an address that is none, and options that are wrong', async () => {
    const wrong = await run(['outbox', 'list', '--url', 'not an address'], {});
    expect(wrong).toMatchObject({
      code: 2,
      output: expect.stringMatching(/^tidegate: --url: expected an address .*\n$/),
    });
    expect(await outbox('list', '--state', 'LOST')).toMatchObject({ code: 2 });
    expect(await outbox('reject', '1')).toMatchObject({ code: 2, output: expect.stringContaining('--reason') });
    expect(await outbox('list', '--limit', 'many')).toMatchObject({ code: 2 });
  });

  test('a gateway that is not there, and something that is none', async () => {
    const ended = await startForgetfulSystem([]);
    await ended.stop();
    const away = await run(['outbox', 'list', '--url', ended.url], {});
    expect(away.code).toBe(7);
    expect(away.output).toMatch(/^tidegate: http:\S+\/graphql: expected a running gateway, got .*ECONNREFUSED.*\n$/);
    const other = await run(['outbox', 'list'], { HOST: '127.0.0.1', PORT: new URL(system.url).port });
    expect(other).toMatchObject({
      code: 7,
      output: expect.stringMatching(/expected the answer of a gateway, got HTTP 404\n$/),
    });
  });

  test('a number that is none', async () => {
    expect(await outbox('show', 'x1')).toMatchObject({
      code: 8,
      output: expect.stringMatching(/^tidegate: BAD_REQUEST: /),
    });
    expect(await outbox('retry', '999999')).toMatchObject({
      code: 8,
      output: expect.stringContaining('never was one'),
    });
  });
});

/** An edit of which the system took the call and nobody heard. @returns its number */
async function park(id: string, note: string): Promise<string> {
  system.loseNextAnswer();
  const result = await push('phone', `change-${id}`, id, note, (await versionOf(id)) ?? '');
  expect(result).toMatchObject({ status: 'PARKED', error: { code: 'OUTCOME_UNKNOWN' } });
  const { outbox: found } = JSON.parse((await outbox('list', '--json', '--state', 'PARKED')).output);
  return found.changes[0].intentNo;
}

const outbox = (...line: readonly string[]) => run(['outbox', ...line, '--url', gateway.url], {});

async function run(line: readonly string[], settings: Readonly<Record<string, string>>) {
  const program = runProgram(line, settings, folder);
  return { code: await program.ended, output: program.output() };
}

async function versionOf(id: string): Promise<string | undefined> {
  return (await pull()).changes.find((change) => change.id === id)?.version;
}

async function pull() {
  const { pull: page } = await ask(
    '{ pull { changes { id version json } receipts { changeId status error { code message } } } }',
    'phone',
  );
  return page;
}

/** A source that counts as down is tried again by and by. */
const FATE_WITHIN_MS = 60_000;

async function push(device: string, changeId: string, id: string, note: string, baseVersion: string) {
  const change = { changeId, collection: 'visits', id, kind: 'UPSERT', baseVersion, json: { note } };
  const changes = [{ ...change, changedAt: new Date().toISOString() }];
  let result: Pushed | undefined;
  // Also when the system counts as down after the answers that it lost: a repeat gets the stored result.
  await until(
    `${changeId} has its fate`,
    async () => {
      const { push: pushed } = await ask(
        `mutation ($changes: [ChangeInput!]!) { push(changes: $changes) { results {
        changeId status error { code } conflict { baseVersion fields yours theirs { json } } } } }`,
        device,
        { changes },
      );
      result = pushed.results[0];
      return result?.status !== 'ACCEPTED';
    },
    FATE_WITHIN_MS,
  );
  return result;
}

interface Pushed {
  readonly status: string;
}

/** What these tests look at of an answer. */
interface Answered {
  readonly pull: {
    readonly changes: readonly { readonly id: string; readonly version: string; readonly json: unknown }[];
    readonly receipts: readonly unknown[];
  };
  readonly push: { readonly results: readonly Pushed[] };
}

async function ask(query: string, device: string, variables: object = {}): Promise<Answered> {
  const answer = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'tidegate-device': device },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await answer.json()) as { readonly data: Answered; readonly errors?: unknown };
  expect(errors).toBeUndefined();
  return data;
}

function configuration(): string {
  const file = path.join(folder, 'tidegate.config.ts');
  writeFileSync(
    file,
    `import { defineConfig } from 'tidegate';
import { collection, defineConnector, field } from 'tidegate/connector';
import { get, patch, rest } from 'tidegate/connector/rest';

export default defineConfig({
  connectors: [
    defineConnector({
      source: 'office',
      transport: rest({ baseUrl: ${JSON.stringify(system.url)} }),
      collections: {
        visits: collection({
          type: 'Visit',
          key: 'id',
          policy: 'sourceWins',
          read: { list: get('/visits'), pollEvery: '1h' },
          write: { update: patch('/visits/{key}') },
          fields: { note: field.string() },
        }),
      },
    }),
  ],
});
`,
  );
  return file;
}

async function startForgetfulSystem(ids: readonly string[]): Promise<ForgetfulSystem> {
  const notes = new Map(ids.map((id) => [id, 'planned']));
  const taken: string[] = [];
  let losesAnswer = false;
  const server: Server = createServer((request, response) => {
    void answer(request, response);
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = /^\/visits\/(.+)$/.exec(request.url ?? '')?.[1];
    response.setHeader('content-type', 'application/json');
    if (request.method === 'GET' && request.url?.startsWith('/visits') === true && id === undefined) {
      response.end(JSON.stringify([...notes].map(([key, note]) => ({ id: key, note }))));
    } else if (request.method === 'PATCH' && id !== undefined) {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const { note } = JSON.parse(body) as { readonly note: string };
      notes.set(id, note);
      taken.push(note);
      if (losesAnswer) request.socket.destroy();
      else response.end(JSON.stringify({ id, note }));
      losesAnswer = false;
    } else response.writeHead(404).end('not found');
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    notes,
    taken,
    loseNextAnswer: () => (losesAnswer = true),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
