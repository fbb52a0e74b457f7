import { GatewayFault, type FaultCode, type SentChange } from '../../src/client/gateway.js';
import type { ToldFate } from '../../src/client/glue-gateway.js';
import { createGluePushes } from '../../src/client/glue-push.js';
import { createManualClock } from '../support/manual-clock.js';

function edit(at: number, notes = `note ${at}`): SentChange {
  const changeId = `c${at}`;
  return {
    changeId,
    collection: 'visits',
    id: `V-${at}`,
    kind: 'UPSERT',
    baseVersion: 'e.1',
    changedAt: '',
    json: { notes },
  };
}

/** A gateway that fails whole requests as `faultOf` says, and takes all else. */
function gatewayThat(faultOf: (portion: readonly SentChange[]) => FaultCode | null) {
  const asked: (readonly SentChange[])[] = [];
  const taken: string[] = [];
  const clock = createManualClock();
  const pushes = createGluePushes(() => clock.nowMs());
  async function send(portion: readonly SentChange[]): Promise<readonly ToldFate[]> {
    asked.push(portion);
    const code = faultOf(portion);
    if (code !== null) throw new GatewayFault(code, 'as the test said');
    taken.push(...portion.map(({ changeId }) => changeId));
    return portion.map(({ changeId }) => ({ changeId, status: 'APPLIED', error: null, change: null }));
  }
  const push = async (changes: readonly SentChange[]) =>
    (await pushes.push(changes, send)).map(({ changeId, status, error }) => [
      changeId,
      error === null ? status : [error.code, error.retryable],
    ]);
  return { push, asked, taken, clock };
}

const applied = (...ats: readonly number[]) => ats.map((at) => [`c${at}`, 'APPLIED']);
const hasPoison = (portion: readonly SentChange[]) => portion.some(({ changeId }) => changeId === 'c1');
const numbers = Array.from({ length: 200 }, (_one, at) => at + 1);

test('R8: a long list goes out in its order, in portions that a gateway takes', async () => {
  const { push, asked } = gatewayThat(() => null);
  expect(await push(numbers.map((at) => edit(at, 'x'.repeat(25_000))))).toEqual(applied(...numbers));
  expect(asked.length).toBe(11);
  expect(asked.flat().map(({ changeId }) => changeId)).toEqual(numbers.map((at) => `c${at}`));
  for (const portion of asked) expect(JSON.stringify(portion).length).toBeLessThan(510_000);
});

test('LIMIT_EXCEEDED: a gateway that takes ten changes in a push gets ten at most, until all are there', async () => {
  const { push, taken } = gatewayThat(({ length }) => (length > 10 ? 'LIMIT_EXCEEDED' : null));
  expect(await push(numbers.map((at) => edit(at)))).toEqual(applied(...numbers));
  expect(taken).toEqual(numbers.map((at) => `c${at}`));
});

test.each(['PAYLOAD_TOO_LARGE', 'LIMIT_EXCEEDED'] as const)(
  '%s: what is too large alone is held back at once and for good; all others are taken',
  async (code) => {
    const { push, asked } = gatewayThat((portion) => (hasPoison(portion) ? code : null));
    const changes = [edit(1), edit(2), edit(3)];
    const answer = [['c1', [code, false]], ...applied(2, 3)];
    expect(await push(changes)).toEqual(answer);
    const before = asked.length;
    expect(await push(changes.slice(0, 1))).toEqual(answer.slice(0, 1));
    expect(asked.length).toBe(before);
  },
);

test.each(['BAD_REQUEST', 'VALIDATION'] as const)(
  '%s: what cannot be read alone waits until it is known that the gateway reads others',
  async (code) => {
    let isBroken = true;
    const { push } = gatewayThat((portion) => (isBroken || hasPoison(portion) ? code : null));
    // An app that is too new for its gateway loses no edit by it.
    expect(await push([edit(1), edit(2)])).toEqual([
      ['c1', [code, true]],
      ['c2', [code, true]],
    ]);
    isBroken = false;
    expect(await push([edit(1), edit(3)])).toEqual([['c1', [code, false]], ...applied(3)]);
  },
);

test('INTERNAL: less is sent with each push, what fails alone waits and is tried again after 15 minutes, to the letter', async () => {
  const { push, asked, clock } = gatewayThat((portion) => (hasPoison(portion) ? 'INTERNAL' : null));
  const changes = [edit(1), edit(2), edit(3), edit(4)];
  for (const length of [4, 2, 1]) {
    await expect(push(changes)).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(asked.at(-1)?.length).toBe(length);
  }
  const waits = [['c1', ['INTERNAL', true]], ...applied(2, 3, 4)];
  expect(await push(changes)).toEqual(waits);
  const before = asked.length;
  expect(await push(changes.slice(0, 1))).toEqual(waits.slice(0, 1));
  expect(asked.length).toBe(before);
  clock.advance(15 * 60_000);
  expect(await push([...changes.slice(0, 1), edit(5)])).toEqual([...waits.slice(0, 1), ...applied(5)]);
  expect(asked.at(-1)).toEqual(asked[2]);
});

test('R7: what was answered before the network was lost is done; the rest is sent again', async () => {
  let isLost = false;
  const { push } = gatewayThat((portion) => (isLost && portion[0]?.changeId !== 'c1' ? 'UNREACHABLE' : null));
  isLost = true;
  const [first, second] = [edit(1, 'x'.repeat(400_000)), edit(2, 'x'.repeat(400_000))];
  expect(await push([first, second])).toEqual([...applied(1), ['c2', ['UNREACHABLE', true]]]);
  await expect(push([second])).rejects.toMatchObject({ code: 'UNREACHABLE' });
  isLost = false;
  expect(await push([second])).toEqual(applied(2));
});
