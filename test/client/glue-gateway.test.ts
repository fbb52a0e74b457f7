import type { Fetch } from '../../src/client/exchange.js';
import { GatewayFault } from '../../src/client/gateway.js';
import { openGlueGateway, type GatewayAddress } from '../../src/client/glue-gateway.js';
import { createManualClock } from '../support/manual-clock.js';
import { settled } from './device.js';

interface Asked {
  readonly device: string | undefined;
  readonly since?: string | null;
  readonly changes?: readonly unknown[];
  readonly isAborted: () => boolean;
}

const CHANGE = {
  changeId: 'c',
  collection: 'visits',
  id: 'V',
  kind: 'UPSERT',
  baseVersion: null,
  changedAt: '',
} as const;

/** A glue's gateway: `answer` says what each request gets, an error code or the page's `hasMore`; 'silence' is none before it is given up. */
function glueOf(answer: (asked: Asked, at: number) => string | boolean, address: Partial<GatewayAddress> = {}) {
  const asked: Asked[] = [];
  const clock = createManualClock();
  const fetch: Fetch = async (_url, { headers, body, signal }) => {
    const { variables } = JSON.parse(body) as { variables: Pick<Asked, 'since' | 'changes'> };
    const request = { ...variables, device: headers['tidegate-device'], isAborted: () => signal.aborted };
    asked.push(request);
    const said = answer(request, asked.length);
    if (said === 'silence')
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    const page = { changes: [], receipts: [], checkpoint: `place ${asked.length}`, reset: false, epoch: 'e' };
    const data = variables.changes === undefined ? { pull: { ...page, hasMore: said } } : { push: { results: [] } };
    const errors = [{ message: 'as the test said', extensions: { code: said } }];
    return { status: 200, json: async () => (typeof said === 'string' ? { errors } : { data }) };
  };
  const url = 'http://ward.example/graphql';
  const gateway = openGlueGateway(
    { url, device: 'tablet', fetch, clock, timeoutMs: 1_000, ...address },
    { collections: ['visits'], limit: 10 },
  );
  return { gateway, asked, clock, places: () => asked.map(({ since }) => since) };
}

test('a request that hangs is given up, so that what waits behind it goes on', async () => {
  const { gateway, clock } = glueOf((_asked, at) => (at === 1 ? 'silence' : false));
  const hanging = gateway.pull(null);
  const behind = gateway.pull(null);
  await settled();
  clock.advance(1_000);
  await expect(hanging).rejects.toMatchObject({ code: 'UNREACHABLE' });
  expect(await behind).toMatchObject({ hasMore: false });
});

test.each(['BAD_CHECKPOINT', 'CHECKPOINT_COLLECTIONS'])('F24: a place that is %s begins anew', async (code) => {
  const { gateway, places } = glueOf(({ since }) => (since === null ? false : code));
  expect(await gateway.pull('old')).toMatchObject({ reset: true });
  expect(places()).toEqual(['old', null]);
});

test('F11: an evicted push is not made again by itself; under its new id a device asks when it was renewed', async () => {
  const { gateway, asked } = glueOf(({ device }) => (device === 'tablet' ? 'DEVICE_EVICTED' : false), {
    onEvicted: () => 'tablet-2',
  });
  const why = await gateway.push([CHANGE]).catch((thrown: GatewayFault) => thrown);
  expect([why, gateway.device(), asked.length]).toEqual([
    expect.objectContaining({ code: 'DEVICE_EVICTED' }),
    'tablet',
    1,
  ]);
  await gateway.renew(why as GatewayFault, 'tablet');
  await gateway.push([CHANGE]);
  expect([gateway.device(), asked.map(({ device }) => device)]).toEqual(['tablet-2', ['tablet', 'tablet-2']]);
});

test('F11: what was chosen under an id that was given up meanwhile does not go out', async () => {
  const { gateway, asked } = glueOf(() => false, { onEvicted: () => 'tablet-2' });
  // As a push that waits for its turn behind a page which tells of an eviction.
  const push = gateway.push([CHANGE], 'tablet').catch((thrown: GatewayFault) => thrown);
  await gateway.renew(new GatewayFault('DEVICE_EVICTED', 'silent for too long'), 'tablet');
  expect(await push).toMatchObject({ code: 'DEVICE_EVICTED' });
  expect(asked).toEqual([]);
});

test('F11: a device for which the app makes no new ids is told why it needs one', async () => {
  const why = new GatewayFault('KEY_REUSED', 'a copy');
  await expect(glueOf(() => false).gateway.renew(why, 'tablet')).rejects.toBe(why);
});

test('UNAUTHENTICATED gets new credentials, once; a page ahead asks nobody to sign in', async () => {
  let signed = 0;
  const signIn = async (): Promise<void> => void (signed += 1);
  const { gateway, places } = glueOf((_asked, at) => (at === 2 || at === 3 ? 'UNAUTHENTICATED' : at === 1), { signIn });
  await gateway.pull(null);
  await settled();
  expect([places(), signed]).toEqual([[null, 'place 1'], 0]);
  expect(await gateway.pull('place 1')).toMatchObject({ hasMore: false, isAhead: false });
  expect([places(), signed]).toEqual([[null, 'place 1', 'place 1', 'place 1'], 1]);
});

test('F12: a push waits for no page that was asked for ahead, which then counts for nothing', async () => {
  const { gateway, asked, places } = glueOf((_asked, at) => (at === 2 ? 'silence' : at === 1));
  await gateway.pull(null);
  await settled();
  await gateway.push([CHANGE]);
  expect([asked[1]?.since, asked[1]?.isAborted(), asked[2]?.changes?.length]).toEqual(['place 1', true, 1]);
  expect(await gateway.pull('place 1')).toMatchObject({ isAhead: false });
  expect(places()).toEqual([null, 'place 1', undefined, 'place 1']);
});

test('a push of nothing is answered here, and drops no page', async () => {
  const { gateway, asked } = glueOf((_asked, at) => at === 1);
  await gateway.pull(null);
  expect(await gateway.push([])).toEqual([]);
  expect(await gateway.pull('place 1')).toMatchObject({ isAhead: true });
  expect(asked.length).toBe(2);
});
