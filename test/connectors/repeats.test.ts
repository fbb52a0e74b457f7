import { collection, field } from '../../src/connectors/define.js';
import { del, get, patch, post } from '../../src/connectors/rest.js';
import { sourceKey } from '../../src/core/id.js';
import type { SourceWrite } from '../../src/core/source-port.js';
import { startScripted, type ScriptedSource } from './scripted-source.js';

// A write that is made again under the same idempotency key is the very same request.

const NEVER = new AbortController().signal;
const VISITS = collection({
  type: 'Visit',
  key: 'id',
  version: 'rev',
  fields: { note: field.string() },
  read: { list: get('/visits'), one: get('/visits/{key}'), readAfterWrite: '2s' },
  write: {
    create: post('/visits', { keyIn: 'id' }),
    update: patch('/visits/{key}'),
    remove: del('/visits/{key}'),
    guard: 'ifMatch',
    idempotencyKey: { header: 'Idempotency-Key', lifetime: '24h', checkedFirst: true },
    maxRequestLifetime: '1m',
  },
  visibility: 'confirmed',
  deletedRecord: 'editWins',
  policy: 'ask',
});
const UPDATE: SourceWrite = {
  kind: 'update',
  sourceKey: sourceKey(['1']),
  fields: { note: 'new' },
  current: { note: 'old' },
  guard: '7',
  idempotencyKey: 'k-1',
};

let source: ScriptedSource;
beforeEach(async () => (source = await startScripted()));
afterEach(() => source.close());

test('R11: what a connector declares of its writes is what core knows of them', () => {
  const [visits] = source.open({ visits: VISITS });
  expect(visits?.facts).toMatchObject({
    idempotencyKeyLifetimeMs: 86_400_000,
    checksKeyFirst: true,
    maxRequestLifetimeMs: 60_000,
    readAfterWriteMs: 2_000,
  });
  expect(visits?.collection).toMatchObject({ visibility: 'confirmed', deletedRecord: 'editWins', policy: 'ask' });
  expect(visits?.facts).not.toHaveProperty('lookUp');
  expect(visits).not.toHaveProperty('lookUp');
});

test('R11: nothing is known of what is not declared', () => {
  const [visits] = source.open();
  const undeclared = [
    'idempotencyKeyLifetimeMs',
    'checksKeyFirst',
    'lookUp',
    'maxRequestLifetimeMs',
    'readAfterWriteMs',
    'maintenance',
  ];
  for (const fact of undeclared) expect(visits?.facts).not.toHaveProperty(fact);
  expect(visits?.collection).not.toHaveProperty('visibility');
  expect(visits?.collection).not.toHaveProperty('deletedRecord');
});

test.each<SourceWrite>([
  UPDATE,
  { ...UPDATE, kind: 'create', current: null, guard: null },
  { ...UPDATE, kind: 'delete', fields: {} },
])('R11: the repeat of $kind is the very same request, with the same key', async (write) => {
  const [visits] = source.open({ visits: VISITS });
  source.answer = () => ({ status: 500 });
  expect(await visits?.write(write, NEVER)).toMatchObject({ kind: 'unknown' });
  source.answer = () => ({ rows: { id: '1', note: 'new', rev: 8 } });
  // What the record has become meanwhile does not show in it.
  const later = write.kind === 'create' ? write : { ...write, current: { note: 'of somebody else' } };
  expect(await visits?.write(later, NEVER)).toMatchObject({ kind: 'applied' });
  const [first, again] = source.asked;
  expect(source.asked).toHaveLength(2);
  expect(first?.headers['idempotency-key']).toBe('k-1');
  for (const part of ['method', 'path', 'body'] as const) expect(again?.[part]).toBe(first?.[part]);
  for (const name of ['idempotency-key', 'if-match']) expect(again?.headers[name]).toBe(first?.headers[name]);
});

test('R11: a source that declares no key is sent none', async () => {
  const { write, ...rest } = VISITS;
  const { idempotencyKey: _key, ...plain } = write ?? {};
  const [visits] = source.open({ visits: { ...rest, write: plain } });
  source.answer = () => ({ rows: { id: '1', note: 'new', rev: 8 } });
  await visits?.write(UPDATE, NEVER);
  expect(source.asked[0]?.headers).not.toHaveProperty('idempotency-key');
});

test('R11: what the answer to a repeat shows may be old: the record is read again', async () => {
  const { write, read, ...rest } = VISITS;
  const { readAfterWrite: _delay, ...atOnce } = read;
  const [visits] = source.open({ visits: { ...rest, read: atOnce, ...(write === undefined ? {} : { write }) } });
  source.answer = ({ method }) => ({ rows: { id: '1', note: method === 'GET' ? 'since then' : 'new', rev: 8 } });
  const again = { ...UPDATE, isRepeat: true };
  const observation = { sourceKey: UPDATE.sourceKey, fields: { note: 'since then' }, sourceVersion: '8' };
  expect(await visits?.write(again, NEVER)).toEqual({ kind: 'applied', observation });
  source.answer = ({ method }) => (method === 'GET' ? { status: 404 } : { rows: { id: '1', note: 'new', rev: 8 } });
  expect(await visits?.write(again, NEVER)).toEqual({ kind: 'applied', observation: null });
});
