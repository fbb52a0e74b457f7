import { GatewayFault } from '../../src/client/gateway.js';
import { openFilledTablet } from './device.js';
import { refusal, type Pushed } from './scripted-gateway.js';

const applied = ({ changes }: Pushed) => changes.map(({ changeId }) => ({ changeId, status: 'APPLIED' as const }));
const fault = (code: 'UNREACHABLE' | 'DEVICE_EVICTED') => () => {
  throw new GatewayFault(code, 'as the test said');
};

describe('F11: a device id that is no more', () => {
  test('what was never sent goes on under a new one, what was sent is shown to its user and never sent again', async () => {
    const tablet = await openFilledTablet();
    const visits = tablet.client.collection('visits');
    await visits.patch('V-1', { notes: 'sent' });
    tablet.gateway.answer = fault('UNREACHABLE');
    await tablet.client.sync().catch(() => undefined);
    await visits.patch('V-2', { notes: 'never sent' });
    let evicted: string | null = null;
    tablet.gateway.answer = (pushed) => {
      evicted ??= pushed.device;
      return pushed.device === evicted ? fault('DEVICE_EVICTED')() : applied(pushed);
    };
    await expect(tablet.client.sync()).rejects.toMatchObject({ code: 'DEVICE_EVICTED' });
    expect(tablet.heard.filter((one) => one.startsWith('unanswered'))).toEqual(['unanswered V-1']);
    expect((await visits.get('V-1'))?.fields.notes).toBe('as planned');
    await tablet.client.sync();
    expect(tablet.gateway.pushes.at(-1)).toMatchObject({ changes: [{ id: 'V-2', json: { notes: 'never sent' } }] });
    expect(tablet.gateway.pushes.at(-1)?.device).not.toBe(evicted);
    expect(await tablet.client.outbox.list()).toMatchObject([{ id: 'V-1', status: 'UNANSWERED' }]);
  });

  test('an id that stands for another change is a copied backup: it goes out under a new one, from a new device', async () => {
    const tablet = await openFilledTablet({ device: 'copied' });
    const { changeId } = await tablet.client.collection('visits').patch('V-1', { notes: 'mine' });
    tablet.gateway.answer = (pushed) =>
      pushed.device === 'copied' ? pushed.changes.map((one) => refusal(one.changeId, 'KEY_REUSED')) : applied(pushed);
    await tablet.client.sync();
    await tablet.client.sync();
    const [first, second] = tablet.gateway.pushes;
    expect(first).toMatchObject({ device: 'copied', changes: [{ changeId }] });
    expect(second?.device).not.toBe('copied');
    expect(second?.changes[0]).toMatchObject({ id: 'V-1', json: { notes: 'mine' } });
    expect(second?.changes[0]?.changeId).not.toBe(changeId);
    expect(tablet.heard).toEqual(['fate APPLIED']);
  });

  test('R8: what goes out under new ids keeps its order', async () => {
    const tablet = await openFilledTablet({ device: 'copied' });
    const visits = tablet.client.collection('visits');
    await visits.patch('V-1', { notes: 'first' });
    await visits.patch('V-1', { notes: 'second' });
    await visits.patch('V-2', { notes: 'third' });
    tablet.gateway.answer = (pushed) =>
      pushed.device === 'copied' ? pushed.changes.map((one) => refusal(one.changeId, 'KEY_REUSED')) : applied(pushed);
    await tablet.client.sync();
    await tablet.client.sync();
    const notes = tablet.gateway.pushes.flatMap(({ device, changes }) =>
      device === 'copied' ? [] : changes.filter(({ id }) => id === 'V-1').map(({ json }) => json?.['notes']),
    );
    expect(notes).toEqual(['first', 'second']);
  });

  test('a store that came with another device id is a copied backup, too', async () => {
    const tablet = await openFilledTablet({ device: 'old phone' });
    await tablet.client.collection('visits').patch('V-1', { notes: 'sent' });
    tablet.gateway.answer = fault('UNREACHABLE');
    await tablet.client.sync().catch(() => undefined);
    await tablet.client.collection('visits').patch('V-2', { notes: 'never sent' });
    tablet.gateway.answer = applied;
    const copy = await tablet.reopen({ device: 'new phone' });
    await copy.client.sync();
    expect(copy.gateway.pushes.at(-1)).toMatchObject({ device: 'new phone', changes: [{ id: 'V-2' }] });
    expect(await copy.client.outbox.list()).toMatchObject([{ id: 'V-1', status: 'UNANSWERED' }]);
  });
});
