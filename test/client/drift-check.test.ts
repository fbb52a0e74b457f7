import { createHash } from 'node:crypto';
import { openFilledTablet } from './device.js';
import { upsert } from './scripted-gateway.js';

const PLANNED = { notes: 'as planned', status: 'planned' };

/** As the protocol writes it down. */
function hashOf(...versions: string[]): string {
  const sum = versions.reduce((all, one) => all + createHash('sha256').update(one).digest().readBigUInt64BE(), 0n);
  return BigInt.asUintN(64, sum).toString(16).padStart(16, '0');
}

const RIGHT = { collection: 'visits', count: 2, hash: hashOf('abcdefgh.1', 'abcdefgh.1') };

test('a device that holds what it must has not drifted', async () => {
  const tablet = await openFilledTablet();
  await tablet.client.collection('visits').patch('V-1', { notes: 'not sent' });
  tablet.gateway.checked = { isCurrent: true, collections: [RIGHT] };
  expect(await tablet.client.check()).toEqual([]);
  expect(tablet.gateway.pulls.length).toBe(1);
});

test('where the gateway cannot say, nobody can', async () => {
  const tablet = await openFilledTablet();
  tablet.gateway.checked = { isCurrent: false, collections: [] };
  expect(await tablet.client.check()).toBeNull();
});

test.each([
  ['too few', { ...RIGHT, count: 3 }],
  ['in another state', { ...RIGHT, hash: hashOf('abcdefgh.1', 'abcdefgh.2') }],
])('records that are %s are pulled alone and replaced; checkpoint and unsent edits stay', async (_what, told) => {
  const tablet = await openFilledTablet({ collections: ['visits', 'patients'] });
  await tablet.client.collection('visits').patch('V-1', { notes: 'not sent' });
  tablet.gateway.checked = { isCurrent: true, collections: [told] };
  tablet.gateway.pages.push(
    { changes: [upsert('V-1', PLANNED, { version: 'abcdefgh.4' })], hasMore: true, checkpoint: 'of the mending' },
    { changes: [upsert('V-3', PLANNED)] },
  );
  expect(await tablet.client.check()).toEqual(['visits']);
  expect(tablet.gateway.pulls.slice(1)).toMatchObject([
    { since: null, collections: ['visits'] },
    { since: 'of the mending', collections: ['visits'] },
  ]);
  expect((await tablet.client.collection('visits').list()).map(({ id }) => id)).toEqual(['V-1', 'V-3']);
  expect(await tablet.client.collection('visits').get('V-1')).toMatchObject({
    version: 'abcdefgh.4',
    fields: { notes: 'not sent' },
  });
  expect(tablet.contents.state?.checkpoint).toBe('place 1');
});

test('what another tab pulled meanwhile is not replaced by what is older', async () => {
  const tablet = await openFilledTablet();
  tablet.gateway.checked = { isCurrent: true, collections: [{ ...RIGHT, count: 1 }] };
  const { pull } = tablet.gateway;
  tablet.gateway.pull = async (request) => {
    const { state } = tablet.contents;
    if (state !== null) tablet.contents.state = { ...state, revision: state.revision + 1 };
    return pull(request);
  };
  expect(await tablet.client.check()).toEqual(['visits']);
  expect((await tablet.client.collection('visits').list()).map(({ id }) => id)).toEqual(['V-1', 'V-2']);
});
