import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buildDemo, run, type RunningProgram } from './built-demo.js';

interface Running {
  readonly restUrl: string;
  readonly soapUrl: string;
  readonly wsdlUrl: string;
  readonly pids: { readonly rest: number; readonly soap: number; readonly backOffice: number | null };
}

const demo = buildDemo();
const parents: RunningProgram[] = [];
afterAll(async () => {
  await Promise.all(parents.map((parent) => parent.kill()));
  await demo.remove();
});

/** A process that starts the demo, as the gateway does; it stops the demo on SIGTERM. */
function startParent(options: object): RunningProgram {
  const script = join(demo.newFolder(), 'parent.js');
  writeFileSync(
    script,
    `import { startDemoSources } from ${JSON.stringify(demo.path('demo-sources'))};
    const say = (what) => console.log('log: ' + what);
    process.on('SIGTERM', () => undefined);
    try {
      const sources = await startDemoSources({ ...${JSON.stringify(options)}, log: { info: say, warn: say, error: say } });
      console.log('ready: ' + JSON.stringify(sources));
      process.on('SIGTERM', async () => { await sources.stop(); console.log('stopped'); process.exit(0); });
    } catch (error) { console.log('failed: ' + error.message); process.exit(3); }`,
  );
  const parent = run(script, []);
  parents.push(parent);
  return parent;
}

async function untilRunning(parent: RunningProgram): Promise<Running> {
  const [, text = ''] = await parent.line(/^ready: (.*)$/);
  return JSON.parse(text) as Running;
}

/** Looks until a process is gone; a child of a killed parent tells nobody that it ends. */
async function untilGone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((next) => setImmediate(next));
  }
}

test('both sources answer when the launcher says so, and end when it stops', async () => {
  const parent = startParent({ folder: demo.newFolder() });
  const { restUrl, wsdlUrl, pids } = await untilRunning(parent);
  expect((await fetch(`${restUrl}/visits/V-00001`)).status).toBe(200);
  expect(await (await fetch(wsdlUrl)).text()).toContain('wsdl:definitions');
  parent.child.kill('SIGTERM');
  await parent.line(/^stopped$/);
  await Promise.all([untilGone(pids.rest), untilGone(pids.soap)]);
});

test('after kill -9 of the parent the sources end by themselves, and start again at the same ports with their records', async () => {
  const folder = demo.newFolder();
  const first = startParent({ folder });
  const before = await untilRunning(first);
  await fetch(`${before.restUrl}/visits/V-00001`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: '{"notes":"kept"}',
  });
  await first.kill();
  const second = startParent({
    folder,
    restPort: Number(new URL(before.restUrl).port),
    soapPort: Number(new URL(before.soapUrl).port),
  });
  const after = await untilRunning(second);
  await Promise.all([untilGone(before.pids.rest), untilGone(before.pids.soap)]);
  expect([after.restUrl, after.wsdlUrl]).toEqual([before.restUrl, before.wsdlUrl]);
  expect(await (await fetch(`${after.restUrl}/visits/V-00001`)).json()).toMatchObject({ notes: 'kept' });
});

test('a port that is taken is named, and nothing is left running', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const folder = demo.newFolder();
  const parent = startParent({ folder, soapPort: port });
  const [, reason] = await parent.line(/^failed: (.*)$/);
  expect(reason).toBe(`soap-source: expected port ${port} on 127.0.0.1 to be free, but it is taken by another process`);
  taken.close();
  await untilRunning(startParent({ folder }));
});

test('a folder belongs to one demo at a time, and a dead one leaves it free', async () => {
  const folder = demo.newFolder();
  const first = startParent({ folder });
  const { pids } = await untilRunning(first);
  const [, reason] = await startParent({ folder }).line(/^failed: (.*)$/);
  expect(reason).toMatch(
    /^(rest|soap)-source: expected the folder .* to be free, but process \d+ is a (rest|soap)-source/,
  );
  process.kill(pids.rest, 'SIGKILL');
  process.kill(pids.soap, 'SIGKILL');
  await untilRunning(startParent({ folder }));
});

test('a source that dies is reported with the command that starts it again', async () => {
  const parent = startParent({ folder: demo.newFolder() });
  const { pids, restUrl } = await untilRunning(parent);
  process.kill(pids.rest, 'SIGKILL');
  const [line] = await parent.line(/^log: rest-source ended.*/);
  expect(line).toContain(`rest-source.js --folder`);
  expect(line).toContain(`--port ${new URL(restUrl).port}`);
});

test('the back office edits both systems until the demo stops', async () => {
  const parent = startParent({ folder: demo.newFolder(), backOfficeEveryMs: 10 });
  const { pids } = await untilRunning(parent);
  await parent.line(/^log: back-office: visit /);
  await parent.line(/^log: back-office: stock of /);
  parent.child.kill('SIGTERM');
  await parent.line(/^stopped$/);
  await untilGone(pids.backOffice ?? 0);
});

test.each([
  [['--port', '70000', '--folder', 'x'], 'got the port 70000'],
  [[], 'got no folder'],
  [['--folder', 'x', '--today', 'now'], 'got the day now'],
])('a source that is called with %j says what it expected and ends with 1', async (line, reason) => {
  const program = demo.start('rest-source', line);
  await once(program.child, 'close');
  expect(program.child.exitCode).toBe(1);
  expect(program.errors()).toContain(reason);
});
