import fc from '../support/properties.js';
import type { Epoch, Seq } from '../../src/core/change.js';
import type { CheckpointState } from '../../src/core/checkpoint.js';
import type { SigningKey } from '../../src/core/feed-port.js';
import { EMPTY_SCOPE_SET, scopeSet } from '../../src/core/scope.js';
import { checkpointTokens } from '../../src/pull/checkpoint-token.js';
import { openSigningKeys } from '../../src/pull/signing-keys.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';

const WHO = { tenant: 'clinic', user: 'nurse', lineage: '*' };
const ROUTES = scopeSet(['route:1', 'route:2'].map((scope) => ({ collection: 'visits', scope })));
const WARD = scopeSet([{ collection: 'patients', scope: 'ward:"ü' }]);
const KEY: SigningKey = { kid: 'k2', secret: new Uint8Array(32).fill(2) };
const OLD_KEY: SigningKey = { kid: 'k1', secret: new Uint8Array(32).fill(1) };

const WHOLE: CheckpointState = {
  ...WHO,
  epoch: 'abcd1234' as Epoch,
  seq: 41 as Seq,
  head: 57 as Seq,
  cover: ROUTES,
  fill: { set: WARD, at: 17 as Seq },
  drain: { set: ROUTES, after: { recordNo: 9, scope: 'route:1' } },
  isOfEvicted: true,
};

const keysOf = (keys: readonly SigningKey[]) => ({
  newest: () => keys[0] as SigningKey,
  find: async (kid: string) => keys.find((key) => key.kid === kid) ?? null,
});

async function begin(keys: readonly SigningKey[] = [KEY, OLD_KEY]) {
  const store = createMemoryStore({ clock: createManualClock(), chance: seededChance(3) });
  for (const tenant of ['clinic', 'other']) await store.openTenant(tenant);
  return { store, tokens: checkpointTokens(store, keysOf(keys)) };
}

const partsOf = (token: string): readonly [string, string] => token.split('.') as unknown as readonly [string, string];
const payloadOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(partsOf(token)[0], 'base64url').toString()) as Record<string, unknown>;
const withPayload = (token: string, payload: unknown): string =>
  `${Buffer.from(JSON.stringify(payload)).toString('base64url')}.${partsOf(token)[1]}`;
const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'accepted',
    (thrown: unknown) => (thrown as { code: string }).code,
  );

test('R3: a token brings its state back, and its scope sets are in the store before it leaves', async () => {
  const { store, tokens } = await begin();
  const token = await tokens.write(WHOLE);
  expect(await tokens.read(token, WHO)).toEqual({ kind: 'usable', state: WHOLE });
  expect(await store.readScopeSet('clinic', tokens.nameOf(ROUTES))).toEqual(ROUTES);
  expect(await store.readScopeSet('clinic', tokens.nameOf(WARD))).toEqual(WARD);
});

test('R3: every state comes back as it was', async () => {
  const { tokens } = await begin();
  const seq = fc.nat(Number.MAX_SAFE_INTEGER).map((n) => n as Seq);
  const text = fc.string({ unit: 'binary', maxLength: 200 });
  const set = fc
    .array(fc.record({ collection: fc.constantFrom('visits', 'patients'), scope: text }))
    .map((pairs) => scopeSet(pairs));
  const filled = set.filter((pairs) => pairs.length > 0);
  const state = fc.record({
    tenant: fc.constant('clinic'),
    user: text,
    lineage: fc.constantFrom('*', 'c29tZSBsaXN0'),
    epoch: fc.constant('abcd1234' as Epoch),
    seq,
    head: fc.option(seq),
    cover: set,
    fill: fc.option(fc.record({ set: filled, at: seq })),
    drain: fc.option(fc.record({ set: filled, after: fc.option(fc.record({ recordNo: fc.nat(), scope: text })) })),
    isOfEvicted: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(state, async (whole) => {
      const token = await tokens.write(whole);
      expect(token.length).toBeLessThanOrEqual(4_096);
      expect(await tokens.read(token, whole)).toEqual({ kind: 'usable', state: whole });
    }),
    { numRuns: 200 },
  );
});

test('a token does not grow with names or scopes, and names nobody', async () => {
  const { tokens } = await begin();
  const many = scopeSet(Array.from({ length: 5_000 }, (_, n) => ({ collection: 'visits', scope: `route:${n}` })));
  const who = { ...WHO, user: `user ${'x'.repeat(10_000)}` };
  const token = await tokens.write({ ...WHOLE, ...who, cover: many });
  expect(token.length).toBeLessThan(400);
  expect(JSON.stringify(payloadOf(token))).not.toContain('user');
  expect(await tokens.read(token, who)).toMatchObject({ kind: 'usable', state: { user: who.user } });
});

test('R3, attack 17: whichever field of a token is changed, it is forged', async () => {
  const { tokens } = await begin();
  const token = await tokens.write(WHOLE);
  const payload = payloadOf(token);
  const signed = Object.keys(payload).filter((name) => name !== 'v' && name !== 'k');
  expect(signed.sort()).toEqual(['c', 'd', 'e', 'f', 'h', 'l', 's', 'w', 'x']);
  for (const name of signed) {
    const value = payload[name];
    const others = [null, undefined, 7, '', typeof value === 'string' ? `${value}x` : value && [value], { ...payload }];
    for (const other of others) {
      expect([name, await code(tokens.read(withPayload(token, { ...payload, [name]: other }), WHO))]).toEqual([
        name,
        'BAD_CHECKPOINT',
      ]);
    }
  }
  expect(await code(tokens.read(withPayload(token, { ...payload, extra: 1 }), WHO))).toBe('BAD_CHECKPOINT');
});

test('R3: whichever character of the signature is changed, it is forged', async () => {
  const { tokens } = await begin();
  const [body, mac] = partsOf(await tokens.write(WHOLE));
  for (let at = 0; at < mac.length; at++) {
    const other = `${mac.slice(0, at)}${mac[at] === 'A' ? 'B' : 'A'}${mac.slice(at + 1)}`;
    expect([at, await code(tokens.read(`${body}.${other}`, WHO))]).toEqual([at, 'BAD_CHECKPOINT']);
  }
});

test('R3: the signature of one token does not sign another', async () => {
  const { tokens } = await begin();
  const [, mac] = partsOf(await tokens.write(WHOLE));
  const [body] = partsOf(await tokens.write({ ...WHOLE, seq: 999 as Seq }));
  expect(await code(tokens.read(`${body}.${mac}`, WHO))).toBe('BAD_CHECKPOINT');
});

const SIGNATURE = 'b'.repeat(43);
test.each([
  ['an empty text', ''],
  ['a dot', '.'],
  ['a word', 'null'],
  ['a signature that is too short', 'abc.def'],
  ['a text of 5 KB', `${'a'.repeat(5_000)}.${SIGNATURE}`],
  ['JSON null', `bnVsbA.${SIGNATURE}`],
  ['an empty object', `e30.${SIGNATURE}`],
  ['a list', `W10.${SIGNATURE}`],
  ['a text outside the alphabet', `not base64!.${SIGNATURE}`],
  ['NUL and a lone surrogate', `\u0000\ud800.${SIGNATURE}`],
  ['half a JSON text', `${Buffer.from('{"v":1,"k":').toString('base64url')}.${SIGNATURE}`],
])('R3: %s is no checkpoint', async (_, text) => {
  const { tokens } = await begin();
  expect(await code(tokens.read(text, WHO))).toBe('BAD_CHECKPOINT');
});

test('F24: another version, an unknown key, another user or tenant, and a forgotten scope set begin again', async () => {
  const { store, tokens } = await begin();
  const token = await tokens.write(WHOLE);
  const unusable = { kind: 'unusable', reason: 'EXPIRED', place: null };
  expect(await tokens.read(withPayload(token, { ...payloadOf(token), v: 2 }), WHO)).toEqual(unusable);
  expect(await tokens.read(withPayload(token, { ...payloadOf(token), k: 'k9' }), WHO)).toEqual(unusable);
  expect(await tokens.read(token, { ...WHO, user: 'dispatcher' })).toEqual({ ...unusable, reason: 'OTHER_USER' });
  expect(await tokens.read(token, { ...WHO, tenant: 'other' })).toEqual({ ...unusable, reason: 'OTHER_USER' });
  const forgetful = checkpointTokens({ ...store, readScopeSet: async () => null }, keysOf([KEY]));
  expect(await forgetful.read(token, WHO)).toEqual({ ...unusable, place: { epoch: 'abcd1234', seq: 41 } });
  const empty = { ...WHOLE, cover: EMPTY_SCOPE_SET, fill: null, drain: null };
  expect(await forgetful.read(await tokens.write(empty), WHO)).toEqual({ kind: 'usable', state: empty });
});

test('F24: tokens of an older key go on, new ones are signed with the newest', async () => {
  const { store, tokens } = await begin();
  const before = checkpointTokens(store, keysOf([OLD_KEY]));
  expect(await tokens.read(await before.write(WHOLE), WHO)).toMatchObject({ kind: 'usable' });
  expect(await before.read(await tokens.write(WHOLE), WHO)).toMatchObject({ kind: 'unusable' });
});

test('R3: a checkpoint of another list of the same user is CHECKPOINT_COLLECTIONS', async () => {
  const { tokens } = await begin();
  const token = await tokens.write(WHOLE);
  expect(await code(tokens.read(token, { ...WHO, lineage: 'another list' }))).toBe('CHECKPOINT_COLLECTIONS');
  expect(await tokens.read(token, { ...WHO, user: 'dispatcher', lineage: 'another list' })).toMatchObject({
    kind: 'unusable',
  });
});

test('without a key there are no tokens', async () => {
  const { store } = await begin();
  const keys = await openSigningKeys({ ...store, readSigningKeys: async () => [] });
  await expect(checkpointTokens(store, keys).write(WHOLE)).rejects.toThrow(/at least one key/);
});

test('F24: a key that another gateway made since is looked up, and a forgotten one is taken until the keys are read again', async () => {
  const { store } = await begin();
  let stored: readonly SigningKey[] = [OLD_KEY];
  const keys = await openSigningKeys({ readSigningKeys: async () => stored });
  const tokens = checkpointTokens(store, keys);
  const old = await tokens.write(WHOLE);
  stored = [KEY, OLD_KEY];
  const young = await checkpointTokens(store, keysOf(stored)).write(WHOLE);
  expect(tokens.isOfNewestKey(old)).toBe(true);
  expect(await tokens.read(young, WHO)).toEqual({ kind: 'usable', state: WHOLE });
  expect([tokens.isOfNewestKey(old), tokens.isOfNewestKey(young)]).toEqual([false, true]);
  stored = [KEY];
  expect((await tokens.read(old, WHO)).kind).toBe('usable');
  await keys.refresh();
  expect(await tokens.read(old, WHO)).toEqual({ kind: 'unusable', reason: 'EXPIRED', place: null });
});
