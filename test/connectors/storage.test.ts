import {
  collection,
  createSource,
  defineConnector,
  field,
  sharedSecret,
  type ConnectorDefinition,
  via,
} from '../../src/connectors/define.js';
import { get, patch, post, put, rest } from '../../src/connectors/rest.js';
import { hideWords } from '../../src/connectors/hidden-words.js';
import { CallFault } from '../../src/connectors/fault.js';
import type { OpenTransport, WriteAnswer } from '../../src/connectors/transport.js';
import { systemClock } from '../../src/server/clock.js';
import { silentLog } from '../support/postgres.js';

const READ = { list: get('/v'), one: get('/v/{key}') };

function define(more: object): ConnectorDefinition {
  const shape = { type: 'Visit', key: 'id', version: 'rev', fields: { note: field.string() }, read: READ };
  const visits = { ...shape, storage: 'metadataOnly', ...more } as unknown as Parameters<typeof collection>[0];
  return defineConnector({
    source: 'clinic',
    transport: rest({ baseUrl: 'http://clinic.example' }),
    collections: { visits: collection(visits) },
  });
}

function linesOf(more: object): readonly string[] {
  try {
    define(more);
    return [];
  } catch (thrown) {
    return (thrown as Error).message.split('\n').map((line) => line.replace('connector clinic: visits', ''));
  }
}

test('F29: metadataOnly goes with every policy, with edits of what changed, and with edits over the own row', () => {
  for (const policy of ['sourceWins', 'deviceWins', 'newestWins', 'mergeFields', 'ask'])
    expect(linesOf({ policy, write: { create: post('/v'), update: patch('/v/{key}') } })).toEqual([]);
  expect(linesOf({ visibility: 'confirmed', deletedRecord: 'deleteWins' })).toEqual([]);
  expect(linesOf({ write: { update: put('/v/{key}'), guard: 'ifMatch' } })).toEqual([]);
  expect(linesOf({ write: { update: put('/v/{key}') } })).toEqual([]);
});

test('F29: metadataOnly is refused with scopes via a reference, both of which it cannot have', () => {
  const lines = linesOf({ fields: { note: field.string(), next: field.reference('visits') }, scopes: via('next') });
  expect(lines).toMatchObject([
    expect.stringMatching(/^\.scopes: expected a function, since it has no references .*, got via\("next"\)$/),
    expect.stringMatching(/^\.fields\.next: expected no reference/),
  ]);
});

test.each<readonly [string, object, RegExp]>([
  [
    'no read by key',
    { read: { list: get('/v') } },
    /^\.read\.one: expected it, since bodies are read live .*, got nothing$/,
  ],
  ['overlays', { visibility: 'pending' }, /^\.visibility: expected "confirmed" or nothing, .*, got "pending"$/],
  [
    'edits that bring records back',
    { deletedRecord: 'editWins', write: { create: post('/v') } },
    /^\.deletedRecord: expected "deleteWins" or nothing, .*, got "editWins"$/,
  ],
  [
    'references',
    { fields: { note: field.string(), next: field.reference('visits') } },
    /^\.fields\.next: expected no reference, since it is mapped/,
  ],
  [
    'whole records',
    { write: { update: put('/v/{key}', { sends: 'mapped' }) } },
    /^\.write\.update: expected one that sends what changed, .*, got one that sends what is mapped$/,
  ],
  [
    'rules that go by values',
    { rules: { delete: () => false } },
    /^\.rules: expected nothing, since they go by values/,
  ],
  ['another word', { storage: 'none' }, /^\.storage: expected one of .*, got "none"$|^.*storage: .*, got "none"$/],
])('F29: metadataOnly is refused with %s', (_what, more, line) => {
  const lines = linesOf(more);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(line);
});

test('F29: a collection without values shows confirmed states only', () => {
  const deps = { clock: systemClock, chance: () => 0, log: silentLog };
  const [one] = createSource(define({}), deps).collections;
  expect(one?.collection).toMatchObject({ storage: 'metadataOnly', visibility: 'confirmed' });
  const [plain] = createSource(define({ storage: 'snapshot' }), deps).collections;
  expect(plain?.collection).not.toHaveProperty('storage');
});

describe('F29: what a source says in a fault', () => {
  const failing = (fault: Error): OpenTransport => ({
    readPage: () => Promise.reject(fault),
    readRow: () => Promise.reject(fault),
    lookUp: () => Promise.reject(fault),
    write: () => Promise.reject(fault),
    close: async () => undefined,
  });
  const told = async (fault: Error): Promise<unknown> =>
    hideWords(failing(fault))
      .readRow({} as never, ['17'], new AbortController().signal)
      .catch((thrown: unknown) => thrown);

  test.each([
    ['it says 503: patient Miller has burns', undefined, 'it did not answer as it should (status 503)'],
    ['expected JSON, got text/html (status 502)', undefined, 'it did not answer as it should (status 502)'],
    ['Miller', { code: 'ECONNREFUSED' }, 'it did not answer as it should (ECONNREFUSED)'],
    ['Miller', { code: 'a value?' }, 'it did not answer as it should'],
    ['Miller', undefined, 'it did not answer as it should'],
  ])('is its status, or the code of its connection: %s', async (message, cause, expected) => {
    const fault = new CallFault('unknown', message, { cause, retryAfterMs: 7, sourceIsSick: false });
    expect(await told(fault)).toMatchObject({
      message: expected,
      kind: 'unknown',
      retryAfterMs: 7,
      sourceIsSick: false,
    });
    expect((await told(fault)) as Error).not.toHaveProperty('cause');
  });

  test('is hidden in what becomes of a write, too; other faults are not its words', async () => {
    const answers: readonly WriteAnswer[] = [{ kind: 'unknown', reason: 'it says 500: Miller' }, { kind: 'gone' }];
    const hidden = answers.map((answer) =>
      hideWords({ ...failing(new Error('not asked')), write: async () => answer }).write(
        {} as never,
        {} as never,
        new AbortController().signal,
      ),
    );
    expect(await Promise.all(hidden)).toEqual([
      { kind: 'unknown', reason: 'it did not answer as it should (status 500)' },
      { kind: 'gone' },
    ]);
    expect(await told(new TypeError('a fault of the kit'))).toBeInstanceOf(TypeError);
  });
});

test('F29: why a webhook was not understood is not told, in the words of a function that reads it', () => {
  const lines: string[] = [];
  const take = (what: string, details?: object): void => void lines.push(`${what} ${JSON.stringify(details)}`);
  const deps = { clock: systemClock, chance: () => 0, log: { debug: take, info: take, warn: take, error: take } };
  const proof = sharedSecret({ header: 'X-Token', secret: 'a secret of sixteen bytes or more' });
  const names = (): never => {
    throw new Error('patient Miller');
  };
  const told = (storage: string): string => {
    const definition = define({ storage });
    const [{ webhook }] = [createSource({ ...definition, webhook: { proof, names } }, deps)];
    webhook?.read({ 'x-token': 'a secret of sixteen bytes or more' }, Buffer.from('{}'));
    return lines.splice(0).join();
  };
  expect(told('snapshot')).toContain('Miller');
  expect(told('metadataOnly')).toMatch(/^webhook: what it names is not understood, .*"source":"clinic"}$/);
});
