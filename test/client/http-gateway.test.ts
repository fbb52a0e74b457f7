import type { Fetch } from '../../src/client/exchange.js';
import { createHttpGateway } from '../../src/client/http-gateway.js';
import { createManualClock } from '../support/manual-clock.js';
import { settled } from './device.js';
import { page } from './scripted-gateway.js';

type Sent = Parameters<Fetch>[1] & { readonly url: string };
type Answer = { readonly status?: number; readonly body: unknown } | 'nobody' | 'silence';

function gatewayOf(answers: Answer[], signIn?: () => Promise<void>) {
  const sent: Sent[] = [];
  const clock = createManualClock();
  const credentials = { token: 'first' };
  const fetch: Fetch = (url, request) => {
    sent.push({ ...request, url });
    const answer = answers.shift() ?? 'nobody';
    if (answer === 'nobody') return Promise.reject(new TypeError('network request failed'));
    if (answer === 'silence')
      return new Promise((_resolve, reject) => {
        request.signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    const { status = 200, body } = answer;
    return Promise.resolve({
      status,
      json: async (): Promise<unknown> => (typeof body === 'string' ? JSON.parse(body) : body),
    });
  };
  const gateway = createHttpGateway({
    url: 'https://ward.example/graphql',
    headers: () => ({ authorization: `Bearer ${credentials.token}`, 'tidegate-device': 'not this one' }),
    signIn,
    fetch,
    clock,
    timeoutMs: 30_000,
  });
  return { gateway, sent, clock, credentials };
}

const PULL = { device: 'tablet', since: null, collections: null, limit: 10 };
const failing = (code: string, extensions: object = {}): Answer => ({
  status: 400,
  body: { errors: [{ message: `it is ${code}`, extensions: { code, ...extensions } }] },
});

test('a request names its device and carries the credentials of the moment', async () => {
  const { gateway, sent } = gatewayOf([{ body: { data: { pull: page() } } }]);
  expect(await gateway.pull(PULL)).toEqual(page());
  expect(sent[0]).toMatchObject({
    url: 'https://ward.example/graphql',
    method: 'POST',
    headers: { authorization: 'Bearer first', 'tidegate-device': 'tablet', 'content-type': 'application/json' },
  });
  const { query, variables } = JSON.parse(sent[0]?.body ?? '') as { query: string; variables: unknown };
  expect(query).toContain('query TidegatePull');
  expect(variables).toEqual({ since: null, collections: null, limit: 10 });
});

test('a push has one fate per change, and says what time it is here', async () => {
  const results = [{ changeId: 'c-1', status: 'APPLIED' }];
  const { gateway, sent } = gatewayOf([{ body: { data: { push: { results } } } }]);
  expect(await gateway.push('tablet', [], '2026-01-05T08:00:00.000Z')).toEqual(results);
  expect(sent[0]?.body).toContain('"sentAt":"2026-01-05T08:00:00.000Z"');
});

test.each<[string, Answer]>([
  ['no network', 'nobody'],
  ['the page of a portal, in the place of JSON', { body: '<html>Welcome to our hotel</html>' }],
  ['JSON that was cut off', { body: '{"data":{"pull":{"changes":[{"collection":"visi' }],
  ['JSON that is not a gateway’s', { status: 502, body: { message: 'bad gateway' } }],
  ['nothing', { status: 204, body: null }],
])('%s is UNREACHABLE, whatever the machine says of its network', async (_what, answer) => {
  await expect(gatewayOf([answer]).gateway.pull(PULL)).rejects.toMatchObject({ code: 'UNREACHABLE' });
});

test.each([
  [401, 'UNAUTHENTICATED'],
  [413, 'PAYLOAD_TOO_LARGE'],
])('a proxy’s own %i is %s: signing in, or less at once, gets past it', async (status, code) => {
  for (const body of ['<html>nginx</html>', { message: 'no' }])
    await expect(gatewayOf([{ status, body }]).gateway.pull(PULL)).rejects.toMatchObject({ code });
});

test('a request that is not answered in time is given up', async () => {
  const { gateway, clock } = gatewayOf(['silence']);
  const asked = gateway.pull(PULL);
  await settled();
  clock.advance(30_000);
  await expect(asked).rejects.toMatchObject({ code: 'UNREACHABLE' });
});

test('a fault has the code that the gateway gave it, and how long to wait', async () => {
  const { gateway } = gatewayOf([failing('RATE_LIMITED', { retryAfterMs: 7_000 })]);
  await expect(gateway.pull(PULL)).rejects.toMatchObject({
    code: 'RATE_LIMITED',
    message: 'it is RATE_LIMITED',
    retryAfterMs: 7_000,
  });
});

test('UNAUTHENTICATED gets new credentials, once', async () => {
  const answers: Answer[] = [failing('UNAUTHENTICATED'), { body: { data: { pull: page() } } }];
  let signed = 0;
  const { gateway, sent, credentials } = gatewayOf(answers, async () => {
    signed += 1;
    credentials.token = 'second';
  });
  expect(await gateway.pull(PULL)).toEqual(page());
  expect(sent.map(({ headers }) => headers['authorization'])).toEqual(['Bearer first', 'Bearer second']);
  answers.push(failing('UNAUTHENTICATED'), failing('UNAUTHENTICATED'));
  await expect(gateway.pull(PULL)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(signed).toBe(2);
});

test('without a way to sign in UNAUTHENTICATED is told', async () => {
  const { gateway, sent } = gatewayOf([failing('UNAUTHENTICATED')]);
  await expect(gateway.pull(PULL)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(sent.length).toBe(1);
});
