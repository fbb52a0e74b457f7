import { randomUUID } from 'node:crypto';
import { listenForHints } from '../support/hint-listener.js';
import { until } from '../support/until.js';
import { openSleepingPhones, type Phone, type SleepingPhones } from './sleeping-phones.js';

// In order: what one phone waits for is left to pass while others are hinted.

let world: SleepingPhones;
/** Nadia's: one that may be hinted every second, and one that may three times an hour. */
let android: Phone;
let iphone: Phone;
let omars: Phone;
/** Of a user of the same name on a device of the same name, in another clinic. */
let namesake: Phone;

beforeAll(async () => {
  world = await openSleepingPhones();
  android = await world.phone('nadia-of-the-north-clinic', 'android', 'ANDROID');
  iphone = await world.phone('nadia-of-the-north-clinic', 'iphone', 'IOS');
  omars = await world.phone('omar-of-the-north-clinic', 'android', 'ANDROID');
  namesake = await world.phone('nadia-of-the-south-clinic', 'android', 'ANDROID');
});

afterAll(() => world.stop());

const untilHinted = (phone: Phone, times: number) =>
  until(`${phone.token} has ${times} hints`, async () => taken(phone) >= times);
const taken = (phone: Phone): number => phone.messages().filter(({ answer }) => answer === 'taken').length;
const refused = (phone: Phone): number => phone.messages().filter(({ answer }) => answer === 'unavailable').length;
const untilMeasured = (line: string, value: number) =>
  until(`${line} is ${value}`, async () => (await world.measured(line)) === value);

/** The office pushes a change of a visit on route `r1`, and pulls. */
async function work(note: string): Promise<void> {
  const office = world.device('office-of-the-north-clinic', 'desk');
  await office.pull();
  const { version } = office.held('visits', 'V-3');
  const edit = { changeId: randomUUID(), collection: 'visits', id: 'V-3', baseVersion: version, json: { note } };
  expect(await office.push([edit])).toMatchObject([{ status: 'APPLIED' }]);
}

test('R18, H1, H2: a change wakes the phones that may see it, with names and a time, and no other', async () => {
  const beganMs = Date.now();
  world.north.put('V-0', { note: 'the key is with the neighbour' });
  await untilHinted(android, 1);
  await untilHinted(iphone, 1);
  expect(world.pushService.pushed).toHaveLength(2);
  const [pushed] = android.messages();
  const at = (pushed?.message['data'] as { readonly at: string }).at;
  expect(new Date(at).toISOString()).toBe(at);
  expect(Date.parse(at)).toBeGreaterThanOrEqual(beganMs);
  expect(pushed?.message).toEqual({
    token: android.token,
    data: { t: 'hint', collections: '["visits"]', at },
    android: { priority: 'normal', collapse_key: 'tidegate-hint', ttl: '86400s' },
  });
  world.north.put('V-1', { note: 'another route' });
  world.south.put('V-0', { note: 'another clinic' });
  await Promise.all([untilHinted(omars, 1), untilHinted(namesake, 1)]);
  expect(world.pushService.pushed).toHaveLength(4);
});

test('/metrics shows hints, and how soon a phone pulled after one', async () => {
  await android.device.pull();
  await untilMeasured('tidegate_phone_pull_after_hint_seconds_count{tenant="north",platform="ANDROID"}', 1);
  expect(android.device.held('visits', 'V-0').json['note']).toBe('the key is with the neighbour');
  expect(await world.measured('tidegate_phone_hints_sent_total{tenant="north",platform="IOS"}')).toBe(1);
  expect(await world.measured('tidegate_phones{tenant="north",platform="ANDROID"}')).toBe(2);
  // An operator is told of its own clinic.
  expect(await world.measured('tidegate_phones{tenant="south",platform="ANDROID"}')).toBe(0);
});

test('H3: who has a socket hears of a change there, and no push service is asked', async () => {
  const socket = listenForHints(world.url(), 'android', 'omar-of-the-north-clinic');
  await until('all gateways know of the socket', () => world.isAwake('android'));
  world.north.put('V-1', { note: 'moved to the morning' });
  world.north.put('V-0', { note: 'moved, too' });
  await socket.untilHinted('visits', 10_000);
  await untilHinted(android, 2);
  expect(taken(omars)).toBe(1);
  await socket.stop();
});

test('H4: a phone is not hinted again in its window; /metrics shows that something waits', async () => {
  await untilMeasured('tidegate_phones_due{tenant="north"}', 2);
  expect(iphone.messages()).toHaveLength(1);
});

test('the registration of an app that is not there any more ends', async () => {
  const tablet = await world.phone('nadia-of-the-north-clinic', 'tablet', 'ANDROID');
  await untilMeasured('tidegate_phones{tenant="north",platform="ANDROID"}', 3);
  world.pushService.answer(tablet.token, 'unregistered');
  world.north.put('V-0', { note: 'call first' });
  await untilMeasured('tidegate_phones{tenant="north",platform="ANDROID"}', 2);
  expect(
    await world.measured('tidegate_phone_hints_failed_total{tenant="north",platform="ANDROID",reason="unregistered"}'),
  ).toBe(1);
  await untilHinted(android, 3);
  world.north.put('V-0', { note: 'no need to call' });
  await untilHinted(android, 4);
  expect(tablet.messages()).toHaveLength(1);
});

test('H5: while FCM answers 503 work goes on, and the hint comes when it is back', async () => {
  world.pushService.answerAll('unavailable');
  world.north.put('V-0', { note: 'said while FCM is away' });
  await until('FCM has refused the hint', async () => android.messages().at(-1)?.answer === 'unavailable');
  await work('while FCM refuses');
  const failed = 'tidegate_phone_hints_failed_total{tenant="north",platform="ANDROID",reason="unavailable"}';
  // The SDK itself repeats it, for seven seconds; what comes after that is ours.
  await until('the SDK has tried five times', async () => refused(android) >= 5);
  await until('the SDK has given up', async () => (await world.measured(failed)) > 0);
  expect(taken(android)).toBe(4);
  world.pushService.answerAll('taken');
  await untilHinted(android, 5);
});

test('H3: a phone whose socket was closed before it pulled is hinted in the end', async () => {
  await untilHinted(omars, 2);
});

test('H5: a hint that FCM does not answer holds up neither work nor the end of the gateway, and the next one sends it', async () => {
  world.pushService.answerAll('silence');
  world.north.put('V-0', { note: 'said while FCM is silent' });
  await until('the hint hangs', async () => android.messages().at(-1)?.answer === 'silence');
  for (let n = 0; n < 10; n++) await work(`while FCM is silent ${n}`);
  expect(
    await world.measured('tidegate_phone_hints_failed_total{tenant="north",platform="ANDROID",reason="unreachable"}'),
  ).toBe(0);
  const beganMs = performance.now();
  await world.stopGateway();
  // The sender itself would wait for an answer for a quarter of a minute.
  expect(performance.now() - beganMs).toBeLessThan(10_000);
  world.pushService.answerAll('taken');
  await world.startGateway();
  await untilHinted(android, 6);
  expect(namesake.messages()).toHaveLength(1);
});
