import { randomBytes } from 'node:crypto';
import { createSealer } from '../../src/sealing/sealer.js';
import { openDigestSecret } from '../../src/sealing/secret.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import fc from '../support/properties.js';
import { seededChance } from '../support/seeded-chance.js';

const key = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`;

test('what is sealed is opened again, and differs each time; it shows its key and nothing of the text', () => {
  const sealer = createSealer(key('k1'));
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, about) => {
      const [one, two] = [sealer.seal(text, about), sealer.seal(text, about)];
      expect(sealer.open(one, about)).toBe(text.toWellFormed());
      expect(two).not.toBe(one);
      expect(one).toMatch(/^k1\.[\w-]+$/);
    }),
  );
});

test('a text that was changed, is of something else, or was sealed under another key is not opened', () => {
  const sealer = createSealer(key('k1'));
  const sealed = sealer.seal('a diagnosis', 'visit 17');
  expect(() => sealer.open(sealed, 'visit 18')).toThrow('expected a text that the key "k1" has sealed');
  const at = sealed.length - 5;
  const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
  expect(() => sealer.open(changed, 'visit 17')).toThrow('has sealed');
  expect(() => createSealer(key('k1')).open(sealed, 'visit 17')).toThrow('has sealed');
  expect(() => createSealer(key('k2')).open(sealed, 'visit 17')).toThrow('expected the sealing key "k1"');
  expect(() => sealer.open('k1.', 'visit 17')).toThrow('has sealed');
});

test('the first key seals, older ones open', () => {
  const [old, young] = [key('k1'), key('k2')];
  const sealed = createSealer(old).seal('a diagnosis', 'visit 17');
  const both = createSealer(`${young}, ${old}`);
  expect(both.open(sealed, 'visit 17')).toBe('a diagnosis');
  expect(both.isCurrent(sealed)).toBe(false);
  expect(both.isCurrent(both.seal('', ''))).toBe(true);
});

test.each([
  ['nothing', ''],
  ['no id', randomBytes(32).toString('base64')],
  ['a short key', `k1:${randomBytes(16).toString('base64')}`],
  ['a key that is no base64', `k1:${'§'.repeat(43)}`],
  ['a second one that is none', `${key('k1')},k2:short`],
])('keys are refused without being told: %s', (_what, keys) => {
  expect(() => createSealer(keys)).toThrow(/^sealingKeys: expected <key id>:<32 bytes in base64>, .*entry \d is none$/);
});

test('the secret of the digests is made once, outlives its key, and is refused without it', async () => {
  const store = createMemoryStore({ clock: createManualClock(), chance: seededChance(1) });
  const [old, young] = [key('k1'), key('k2')];
  const first = await openDigestSecret(store, 'clinic', createSealer(old));
  expect(first).toHaveLength(32);
  expect(await openDigestSecret(store, 'clinic', createSealer(old))).toEqual(first);
  await expect(openDigestSecret(store, 'clinic', createSealer(young))).rejects.toThrow(
    'sealingKeys: expected the key "k1"',
  );
  expect(await openDigestSecret(store, 'clinic', createSealer(`${young},${old}`))).toEqual(first);
  expect(await openDigestSecret(store, 'clinic', createSealer(young))).toEqual(first);
});
