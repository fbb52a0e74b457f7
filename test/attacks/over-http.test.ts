import { request as httpRequest } from 'node:http';
import {
  KEY_WITH_METACHARACTERS,
  startAttackedClinic,
  type AttackedClinic,
  type Attacker,
  type PushedResult,
} from './attacked-clinic.js';

let clinic: AttackedClinic;
let nurse: Attacker;

beforeAll(async () => {
  clinic = await startAttackedClinic();
  nurse = await clinic.user('nurse', '7');
});
afterAll(() => clinic.stop());

const versionOf = async (id: string, who = nurse): Promise<string> =>
  String((await who.visits())[id]?.['version'] ?? 'none');

/** Of what the system itself has under a key. */
const inSource = (key: string, name: string): unknown => clinic.rows.get(key)?.[name];

describe('a body', () => {
  test('attack 1: of 51 MB is 413 before it is parsed, and memory stays where it is', async () => {
    const before = process.memoryUsage().rss;
    const length = 51 * 1024 * 1024;
    // Piece by piece: neither side ever has it in memory.
    const status = await new Promise<number>((resolve, reject) => {
      const sent = httpRequest(`${clinic.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer the-key-of-an-operator-of-this-clinic' },
      });
      sent.on('response', (answer) => {
        resolve(answer.statusCode ?? 0);
        answer.resume();
        sent.destroy();
      });
      sent.on('error', reject);
      const piece = Buffer.alloc(65_536, 0x20);
      let left = length;
      const more = (): void => {
        while (left > 0) {
          left -= piece.length;
          if (!sent.write(piece)) return void sent.once('drain', more);
        }
        sent.end();
      };
      more();
    });
    expect(status).toBe(413);
    expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000);
  });

  test('attack 1: with a query of 2 MB is refused without being executed', async () => {
    const { status, code } = await nurse.query(`{ pull { ${'epoch '.repeat(350_000)} } }`);
    expect([status, code]).toEqual([400, 'BAD_REQUEST']);
  });

  test('attack 25: that nests ten thousand deep, or has NaN for a number, is refused or costs its change only', async () => {
    const nested = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    const version = await versionOf('V-7');
    const change = (json: string): string =>
      `{"query":"mutation ($c: [ChangeInput!]!) { push(changes: $c) { results { status error { code field } } } }","variables":{"c":[{"changeId":"deep-1","collection":"visits","id":"V-7","kind":"UPSERT","changedAt":"2026-01-31T12:00:00Z","json":${json}},{"changeId":"fine-1","collection":"visits","id":"V-7","kind":"UPSERT","changedAt":"2026-01-31T12:00:00Z","baseVersion":"${version}","json":{"minutes":11}}]}}`;
    const deep = await nurse.ask(change(`{"extra":${nested}}`));
    expect([deep.status, deep.data]).toEqual([
      200,
      {
        push: {
          results: [
            { status: 'REJECTED', error: { code: 'VALIDATION', field: expect.any(String) } },
            { status: 'APPLIED', error: null },
          ],
        },
      },
    ]);
    const nan = await nurse.ask(change('{"minutes":NaN}'));
    expect([nan.status, nan.code]).toEqual([400, 'BAD_REQUEST']);
  });
});

describe('a push', () => {
  test('attack 25: of ten thousand changes is refused as a whole', async () => {
    const changes = Array.from({ length: 10_000 }, (_, at) => ({
      changeId: `many-${at}`,
      collection: 'visits',
      id: 'V-7',
      kind: 'DELETE',
      changedAt: '2026-01-31T12:00:00Z',
    }));
    const { status, code } = await nurse.query(
      'mutation ($changes: [ChangeInput!]!) { push(changes: $changes) { epoch } }',
      { changes },
    );
    expect([status, code]).toEqual([400, 'LIMIT_EXCEEDED']);
  });

  test.each<readonly [string, Readonly<Record<string, unknown>>, string]>([
    ['a text of a megabyte', { notes: 'x'.repeat(1_000_000) }, 'notes'],
    ['a whole number of 2^53+1 in a number of 32 bits', { minutes: 2 ** 53 + 2 }, 'minutes'],
    ['2^53+1 as a number where 64 bits are a text', { steps: 2 ** 53 }, 'steps'],
    ['null where a value is required', { route: null }, 'route'],
    ['a list for a text', { notes: ['a'] }, 'notes'],
  ])('attack 25: %s is refused with its field', async (_what, json, field) => {
    expect(await nurse.push({ json, baseVersion: await versionOf('V-7') })).toMatchObject({
      status: 'REJECTED',
      error: { code: 'VALIDATION', field },
    });
  });

  test('attack 25: a number that JSON cannot hold exactly is not rounded in silence', async () => {
    const body = (digits: string): string =>
      `{"query":"mutation ($c: [ChangeInput!]!) { push(changes: $c) { results { status error { code field } } } }","variables":{"c":[{"changeId":"n-${digits}","collection":"visits","id":"V-7","kind":"UPSERT","changedAt":"2026-01-31T12:00:00Z","json":{"extra":{"n":${digits}}}}]}}`;
    const { data } = await nurse.ask(body('9007199254740993'));
    expect(data).toEqual({
      push: { results: [{ status: 'REJECTED', error: { code: 'VALIDATION', field: 'extra' } }] },
    });
  });

  test.each<readonly [string, Readonly<Record<string, unknown>>]>([
    ['a lone surrogate', { notes: 'a\ud800b' }],
    ['NUL and other control characters', { notes: 'a\u0000b\u0001\u2028\ufeff' }],
    ['2^53+1 as a text of 64 bits', { steps: '9007199254740993' }],
    ['metacharacters of SQL', { notes: `'; DROP TABLE record; -- $1 %s {key} \${x}` }],
    ['metacharacters of LDAP, XPath and HTML', { notes: `*)(uid=*)) ' or '1'='1 <script>alert(1)</script>` }],
    [
      'names of Object.prototype within JSON',
      { extra: JSON.parse('{"__proto__":{"a":1},"constructor":"b"}') as object },
    ],
  ])('attack 25: %s reaches the system and comes back as it was', async (_what, json) => {
    const result = await nurse.push({ json, baseVersion: await versionOf('V-7') });
    expect(result).toEqual({ status: 'APPLIED', error: null });
    const [name = ''] = Object.keys(json);
    const same = JSON.stringify(json[name]);
    expect(JSON.stringify(inSource('V-7', name))).toBe(same);
    expect(JSON.stringify((await nurse.visits())['V-7']?.[name])).toBe(same);
  });

  test.each<readonly [string, string]>([
    ['tenant', '{"tenant":"other"}'],
    ['version', '{"version":99}'],
    ['deletedAt', '{"deletedAt":null}'],
    ['a field that only the office writes', '{"office":"mine"}'],
    ['__proto__', '{"__proto__":{"isOperator":true}}'],
    ['constructor', '{"constructor":{"prototype":{"isOperator":true}}}'],
    ['prototype', '{"prototype":{}}'],
    ['toString', '{"toString":"x"}'],
  ])('attack 20: that sets %s is rejected, and no prototype changes', async (_what, json) => {
    const before = { ...clinic.rows.get('V-7') };
    const result = await nurse.push({ json: JSON.parse(json) as object, baseVersion: await versionOf('V-7') });
    expect(result).toMatchObject({ status: 'REJECTED', error: { code: 'VALIDATION' } });
    expect(({} as Record<string, unknown>)['isOperator']).toBeUndefined();
    expect(clinic.rows.get('V-7')).toEqual(before);
  });

  test('attack 20: whose variables carry __proto__ beside a change gains nothing', async () => {
    const { status, code } = await nurse.ask(
      '{"query":"{ outboxCounts { __typename } }","__proto__":{"isOperator":true},"variables":{"__proto__":{"isOperator":true}}}',
    );
    expect([status, code]).toEqual([403, 'FORBIDDEN']);
    expect(({} as Record<string, unknown>)['isOperator']).toBeUndefined();
  });

  test('attack 18: of a record outside the scopes answers to the letter as for one that does not exist', async () => {
    const json = { notes: 'mine now' };
    const foreign = await nurse.push({ id: 'V-9', json, baseVersion: await versionOf('V-7') });
    const absent = await nurse.push({ id: 'V-8', json, baseVersion: await versionOf('V-7') });
    const withoutId = (result: PushedResult): string => JSON.stringify(result).replaceAll(/V-[89]/g, 'V-?');
    expect(withoutId(foreign)).toBe(withoutId(absent));
    expect(foreign).toMatchObject({ status: 'REJECTED', error: { code: 'NOT_FOUND' } });
    expect(inSource('V-9', 'notes')).toBe('a dog');
  });

  test('attack 19: that moves a record out of the scopes of its user is refused', async () => {
    const before = inSource('V-7', 'route');
    const result = await nurse.push({ json: { route: '9' }, baseVersion: await versionOf('V-7') });
    expect(result).toMatchObject({ status: 'REJECTED' });
    expect(inSource('V-7', 'route')).toBe(before);
  });

  test('attack 23: that uses a change id again with another body is refused, and another user has ids of its own', async () => {
    const changeId = 'one-id-for-two';
    const first = {
      changeId,
      json: { minutes: 20 },
      baseVersion: await versionOf('V-7'),
      changedAt: '2026-01-31T12:00:00Z',
    };
    expect(await nurse.push(first)).toMatchObject({ status: 'APPLIED' });
    const writes = clinic.written.length;
    expect(await nurse.push(first)).toMatchObject({ status: 'APPLIED' });
    expect(await nurse.push({ ...first, json: { minutes: 99 } })).toMatchObject({
      status: 'REJECTED',
      error: { code: 'KEY_REUSED' },
    });
    const thief = await clinic.user('thief', '9', 'tablet-of-nurse');
    expect(await thief.push(first)).toMatchObject({ status: 'REJECTED', error: { code: 'NOT_FOUND' } });
    expect([clinic.written.length, inSource('V-7', 'minutes')]).toEqual([writes, 20]);
  });

  test('attack 24: with a clock of 2099 does not win for ever', async () => {
    const base = await versionOf('V-7');
    const future = await clinic.user('time-traveller', '7');
    expect(
      await future.push({ json: { notes: 'from 2099' }, baseVersion: base, changedAt: '2099-01-01T00:00:00Z' }),
    ).toMatchObject({ status: 'APPLIED' });
    // Made from the same version, a moment later by a clock that is right.
    expect(await nurse.push({ json: { notes: 'from today' }, baseVersion: base })).toMatchObject({ status: 'APPLIED' });
    expect(inSource('V-7', 'notes')).toBe('from today');
    expect(
      await future.push({ json: { notes: 'from 1970' }, baseVersion: base, changedAt: '1970-01-01T00:00:00Z' }),
    ).toMatchObject({ status: 'CONFLICT' });
    expect(inSource('V-7', 'notes')).toBe('from today');
  });

  test.each(['NaN', 'Infinity', '0', '', '2026-02-30T00:00:00Z', '+275760-09-13T00:00:00.001Z', '1e3'])(
    'attack 24: made at %j is refused',
    async (changedAt) => {
      expect(await nurse.push({ json: { notes: 'x' }, changedAt })).toMatchObject({
        status: 'REJECTED',
        error: { code: 'VALIDATION', field: 'changedAt' },
      });
    },
  );

  test('attack 32: by an id with metacharacters is data: it is refused as it stands, and encoded it is that record and no other', async () => {
    for (const id of [`V-7' OR '1'='1`, 'V-7; DROP TABLE record', '*', '../V-9', 'V-7\u0000', '%']) {
      const { error } = await nurse.push({ id, json: { notes: 'injected' } });
      expect(['VALIDATION', 'NOT_FOUND']).toContain(error?.code);
    }
    expect([...clinic.rows.values()].map(({ notes }) => notes)).not.toContain('injected');
    const odd = Object.entries(await nurse.visits()).find(([, { notes }]) => notes === 'odd');
    const [id = '', { version } = {}] = odd ?? [];
    expect(await nurse.push({ id, json: { notes: 'found' }, baseVersion: version })).toMatchObject({
      status: 'APPLIED',
    });
    expect(inSource(KEY_WITH_METACHARACTERS, 'notes')).toBe('found');
    expect(clinic.written.at(-1)).toBe(`PATCH /visits/${encodeURIComponent(KEY_WITH_METACHARACTERS)}`);
  });
});

describe('a pull', () => {
  test.each([-1, 0, 1_000_000_000])('attack 26: of %d changes a page is refused', async (limit) => {
    const { status, code } = await nurse.query(`{ pull(limit: ${limit}) { epoch } }`);
    expect([status, code]).toEqual([400, 'LIMIT_EXCEEDED']);
  });

  test('attack 26: from a checkpoint ahead of the head cannot be made: its signature is over all of it', async () => {
    const { data } = await nurse.query('{ pull { checkpoint } }');
    const [body = '', mac = ''] = (data as { pull: { checkpoint: string } }).pull.checkpoint.split('.');
    const state = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
    const ahead = Buffer.from(JSON.stringify({ ...state, s: 99_999 })).toString('base64url');
    const { status, code } = await nurse.query('query ($since: Checkpoint) { pull(since: $since) { epoch } }', {
      since: `${ahead}.${mac}`,
    });
    expect([status, code]).toEqual([400, 'BAD_CHECKPOINT']);
  });

  test('attack 32: of a collection with metacharacters is refused by name, and the store lives', async () => {
    const { status, code } = await nurse.query('query ($c: [String!]) { pull(collections: $c) { epoch } }', {
      c: [`visits'; DROP TABLE record; --`],
    });
    expect([status, code]).toEqual([400, 'BAD_REQUEST']);
    expect(await nurse.visits()).toHaveProperty('V-7');
  });

  test('attack 22: after a scope was revoked takes its records off the device, and pushes to them are refused', async () => {
    const pull = 'query ($since: Checkpoint) { pull(since: $since) { changes { id kind } checkpoint } }';
    const before = await (await clinic.user('moved', '7')).query(pull);
    const { checkpoint, changes } = (before.data as { pull: { checkpoint: string; changes: { id: string }[] } }).pull;
    const moved = await clinic.user('moved', '9');
    const { data } = await moved.query(pull, { since: checkpoint });
    const after = (data as { pull: { changes: { id: string; kind: string }[] } }).pull.changes;
    expect(after.filter(({ kind }) => kind === 'REVOKE').map(({ id }) => id)).toEqual(changes.map(({ id }) => id));
    expect(after).toContainEqual({ id: 'V-9', kind: 'UPSERT' });
    expect(await moved.push({ json: { notes: 'late' }, baseVersion: await versionOf('V-7') })).toMatchObject({
      status: 'REJECTED',
      error: { code: 'NOT_FOUND' },
    });
  });

  test('attack 26: from a checkpoint of an epoch that is over begins anew', async () => {
    const { data } = await nurse.query('{ pull { checkpoint epoch } }');
    const { checkpoint, epoch } = (data as { pull: { checkpoint: string; epoch: string } }).pull;
    const begun = await clinic.operator().query('mutation ($from: String!) { newEpoch(from: $from) }', { from: epoch });
    expect(begun.code).toBeNull();
    const pull = 'query ($since: Checkpoint) { pull(since: $since) { reset epoch changes { id } } }';
    const again = await nurse.query(pull, { since: checkpoint });
    expect(again.data).toMatchObject({ pull: { reset: true } });
    expect((again.data as { pull: { epoch: string } }).pull.epoch).not.toBe(epoch);
  });
});
