import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadConfig, type TidegateConfig } from '../../src/server/config.js';
import { readSealingKeys } from '../../src/server/sealing-keys.js';

const [KEY, OLD] = [`k2:${randomBytes(32).toString('base64')}`, `k1:${randomBytes(32).toString('base64')}`];
const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function keys(given: TidegateConfig, env: Readonly<Record<string, string>> = {}): Promise<string | undefined> {
  return readSealingKeys(await loadConfig(env, folder, given));
}

function fileOf(text: string, mode: number): string {
  const file = path.join(folder, 'keys');
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

test('keys come as they are, from a file beside the configuration, or from a function, and the environment may name the file', async () => {
  expect(await keys({})).toBeUndefined();
  expect(await keys({ sealingKeys: KEY })).toBe(KEY);
  const file = fileOf(`${KEY}\n${OLD}\n`, 0o640);
  expect(await keys({ sealingKeysFile: 'keys' })).toBe(`${KEY},${OLD}`);
  expect(await keys({}, { TIDEGATE_SEALING_KEYS_FILE: file })).toBe(`${KEY},${OLD}`);
  expect(await keys({ sealingKeys: async () => KEY })).toBe(KEY);
});

test('attack 35: a file that others can read, or its group can change, is refused, and so are none and two ways at once', async () => {
  for (const mode of [0o644, 0o604, 0o620, 0o602]) {
    const file = fileOf(KEY, mode);
    const said = `sealingKeysFile: expected a file that only its owner and group can read at ${file}, got one with mode ${mode.toString(8)}`;
    await expect(keys({ sealingKeysFile: file })).rejects.toThrow(said);
    await expect(keys({ sealingKeysFile: file })).rejects.not.toThrow(KEY.slice(3));
  }
  await expect(keys({ sealingKeysFile: 'nothing' })).rejects.toThrow(/at .*nothing, got none$/);
  await expect(keys({ sealingKeys: KEY, sealingKeysFile: 'keys' })).rejects.toThrow(
    'expected it or sealingKeysFile, got both',
  );
});

test('attack 34: what a function gives instead of keys, or throws, is not told', async () => {
  const fails = async (): Promise<string> => {
    throw new Error(`cannot unwrap ${KEY}`);
  };
  await expect(keys({ sealingKeys: fails })).rejects.toThrow(
    /^sealingKeys: expected the function to give the keys, it failed$/,
  );
  const others = [async () => 17, async () => ''] as unknown as readonly (() => Promise<string>)[];
  for (const other of others)
    await expect(keys({ sealingKeys: other })).rejects.toThrow(
      /expected the function to give the keys as a text, got (number|string)$/,
    );
  await expect(keys({ sealingKeys: { key: KEY } as never })).rejects.toThrow(
    /sealingKeys: expected keys, or a function, got an object$/,
  );
});
