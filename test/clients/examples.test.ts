import { startDemoClinic, type DemoClinic, type Row } from '../scenario/demo-clinic.js';
import { runProgram, type Program } from '../support/program.js';
import { PROJECT_FOLDER } from '../support/source-tree.js';
import { until } from '../support/until.js';

const NADIAS_ROUTE = 'R-01';

let clinic: DemoClinic;
beforeAll(async () => {
  clinic = await startDemoClinic();
});
/** One that a failed test left running. */
let example: Program | null = null;
afterEach(() => example?.signal('SIGKILL'));
afterAll(async () => {
  await clinic.end();
  clinic.removeFiles();
});

async function visitsOfNadia(): Promise<readonly Row[]> {
  return (await clinic.list('visits')).filter(({ routeId }) => routeId === NADIAS_ROUTE);
}

/**
 * Runs an example as a reader of its page does, against the gateway of `npm start`, and follows it to the edit that it makes.
 *
 * @returns also the id of the visit that it edited, once the clinic's system has the edit
 */
async function runToEdit(name: string): Promise<{ readonly program: Program; readonly edited: string }> {
  const before = await visitsOfNadia();
  const program = runProgram([`${clinic.url}/graphql`], {}, PROJECT_FOLDER, `examples/${name}/main.mjs`);
  example = program;
  const [, count] = await program.line(/^(\d+) visits are here$/);
  expect(Number(count)).toBe(before.length);
  const [, edited = ''] = await program.line(/^edited (V-\d+) on the device/);
  const earlier = before.find(({ id }) => id === edited)?.['notes'];
  await until(`the clinic has the edit of ${edited}`, async () => {
    const notes = String((await clinic.row('visits', edited))?.['notes']);
    return notes !== earlier && notes.startsWith('key under the mat, 2');
  });
  return { program, edited };
}

describe("an example shows its nurse's visits, brings an edit to the clinic, and shows what the clinic changes until it is ended", () => {
  test.each([
    ['client', (id: string) => new RegExp(`^${id}: \\w+, the gate is open`)],
    ['rxdb', (id: string) => new RegExp(`^UPDATE ${id}$`)],
    ['replicache', (id: string) => new RegExp(`^change visits/${id}$`)],
  ])('%s', async (name, shows) => {
    const { program, edited } = await runToEdit(name);
    await program.line(/^edit a visit in another window, and see it come; Ctrl-C ends this$/);
    const other = (await visitsOfNadia()).find(({ id }) => id !== edited)?.['id'] as string;
    await clinic.edit('visits', other, { notes: `the gate is open, ${name}` });
    await program.line(shows(other));
    program.signal('SIGINT');
    // Ended by the signal, or in order because of it.
    expect([null, 0]).toContain(await program.ended);
    expect(program.output()).not.toMatch(/refused|not saved|REJECTED|CONFLICT|Error|no answer/);
  });
});

test('the example of WatermelonDB, which hears no hints, ends in sync', async () => {
  const { program } = await runToEdit('watermelondb');
  await program.line(/^in sync: version \S+, synced, "key under the mat, 2/);
  expect(await program.ended).toBe(0);
  expect(program.output()).not.toMatch(/refused|Error/);
});
