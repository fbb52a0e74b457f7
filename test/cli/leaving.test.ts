import { Command } from 'commander';
import { addDevices } from '../../src/cli/devices.js';
import { addErase } from '../../src/cli/erase.js';
import { openLeavingWard, type LeavingWard } from '../integration/leaving-ward.js';
import { until } from '../support/until.js';

let ward: LeavingWard;

beforeAll(async () => {
  ward = await openLeavingWard();
});

afterAll(() => ward.stop());

/**
 * Runs a command in this process: starting the program takes longer than what it does.
 *
 * @returns what it printed, and the fault with which it ended
 */
async function tidegate(...line: readonly string[]): Promise<{ readonly said: string; readonly fault: unknown }> {
  const env = { TIDEGATE_TOKEN: await ward.token('office', true) };
  const program = new Command().exitOverride();
  addDevices(program, env);
  addErase(program, env);
  const said: string[] = [];
  const print = process.stdout.write.bind(process.stdout);
  process.stdout.write = (text: string | Uint8Array) => said.push(String(text)) > 0;
  try {
    await program.parseAsync([...line, '--url', ward.url()], { from: 'user' });
    return { said: said.join(''), fault: null };
  } catch (fault) {
    return { said: said.join(''), fault };
  } finally {
    process.stdout.write = print;
  }
}

async function contact(user: string, device: string): Promise<string> {
  return JSON.stringify((await ward.ask('{ pull { changes { id } } }', {}, { user, device })).body);
}

test('a record is erased once its source does not have it any more, and everything that remains is named', async () => {
  const refused = await tidegate('erase', 'visits', 'V-1');
  expect(refused.said).toMatch(
    /^Nothing was there to erase\.\nNot erased: V-1: STILL_THERE: visits V-1: expected a record/,
  );
  expect(refused.fault).toMatchObject({ reason: 'refused', message: 'of 1 records nothing was erased' });

  ward.notes.delete('V-1');
  await ward.asOperator('mutation { scanNow(collection: "visits") { state } }');
  await until('it is gone', async () => !(await contact('nurse', 'tablet')).includes('V-1'));
  const { said, fault } = await tidegate('erase', 'visits', 'V-1', 'nobody');
  expect(said).toMatch(/^Erased: 1 last state, 1 key, 1 record of who changed it\.\nNothing is known of nobody\.\n/);
  expect(said).toMatch(/^What remains, and until when:\n(- .+: .+\n){6,}$/m);
  expect(fault).toBeNull();
  // More than the API takes at once, some of them refused.
  const many = Array.from({ length: 120 }, (_, at) => `nobody-${at}`);
  const { said: json, fault: refusal } = await tidegate('erase', 'visits', 'V-2', ...many, 'V-3', '--json');
  const answer = JSON.parse(json) as {
    readonly unknown: readonly string[];
    readonly refused: readonly { readonly id: string }[];
  };
  expect([answer.unknown, answer.refused.map(({ id }) => id)]).toEqual([many, ['V-2', 'V-3']]);
  expect(refusal).toMatchObject({ message: 'of 2 records nothing was erased' });
});

test('devices are listed and revoked, and a user is erased', async () => {
  await contact('doctor', 'tablet');
  const listed = (await tidegate('devices', 'list', '--user', 'doctor')).said;
  expect(listed).toMatch(/^user +device +state .*\ndoctor +tablet +ACTIVE .*\n$/);
  expect((await tidegate('devices', 'list', '--user', 'nobody')).said).toBe('There is no device.\n');
  const revoked = (await tidegate('devices', 'revoke', 'doctor', 'tablet')).said;
  expect(revoked).toMatch(/^tablet of doctor is revoked since 2\S+Z\.\n$/);
  expect(await tidegate('devices', 'revoke', 'doctor', 'tablet')).toEqual({ said: revoked, fault: null });
  expect((await tidegate('devices', 'list')).said).toMatch(/^doctor +tablet +REVOKED .* 2\S+Z$/m);
  const nobody = await tidegate('devices', 'revoke', 'doctor', 'nobody');
  expect(nobody.fault).toMatchObject({ reason: 'refused', message: expect.stringMatching(/^NOT_FOUND: /) });

  await contact('doctor', 'phone');
  const { said, fault } = await tidegate('erase', '--user', 'doctor');
  expect(said).toMatch(/^Erased: 1 device revoked\.\nWhat remains, and until when:\n- the names of the user/);
  expect(fault).toBeNull();
  expect(await contact('doctor', 'phone')).toContain('DEVICE_REVOKED');
});

test.each([[['erase']], [['erase', 'visits']], [['erase', 'visits', 'V-1', '--user', 'nurse']]])(
  'the command line %j says what is expected',
  async (line) => {
    const message = 'erase: expected a collection and ids of records, or --user <user>';
    expect(await tidegate(...line)).toMatchObject({ said: '', fault: { reason: 'config', message } });
  },
);
