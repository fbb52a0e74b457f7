import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { systemClock } from '../../src/server/clock.js';
import { createRequestsUnderWay } from '../../src/server/http-drain.js';

const LONG_MS = 60_000;

function openResponse(): ServerResponse {
  return new ServerResponse(new IncomingMessage(new Socket()));
}

/** Lets everything settle that only waits for its turn. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

test('a request is under way until its response is over and whoever answers it is done, in either order', async () => {
  for (const order of ['response first', 'answer first']) {
    const underWay = createRequestsUnderWay(systemClock);
    const response = openResponse();
    let answer = (): void => undefined;
    underWay.add(response, new Promise<void>((resolve) => (answer = resolve)));
    let finished: boolean | null = null;
    const finish = underWay.finish(LONG_MS).then((isDone) => (finished = isDone));
    const ends = [() => void response.emit('close'), answer];
    if (order === 'answer first') ends.reverse();
    ends[0]?.();
    await turns();
    expect(finished).toBeNull();
    ends[1]?.();
    await finish;
    expect(finished).toBe(true);
  }
});

test('one whose answer fails is over, too, and one that never ends is given up after its time', async () => {
  const underWay = createRequestsUnderWay(systemClock);
  const failing = openResponse();
  underWay.add(failing, Promise.reject(new Error('nobody hears of it')));
  failing.emit('close');
  expect(await underWay.finish(LONG_MS)).toBe(true);
  underWay.add(openResponse());
  expect(await underWay.finish(1)).toBe(false);
});
