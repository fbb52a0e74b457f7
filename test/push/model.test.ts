import fc from '../support/properties.js';
import type { RecordId } from '../../src/core/change.js';
import type { RecordStore } from '../../src/core/record-port.js';
import type { Session } from '../../src/core/session.js';
import type { Push } from '../../src/push/push.js';
import type { PushedChange, PushResult } from '../../src/push/pushed-change.js';
import { hashText } from '../../src/server/telemetry.js';
import { createClinic, edit, removal, turns, type Clinic } from './pushing-clinic.js';
import type { Behaviour } from './scripted-source.js';

/** Two that the source knows, and two ids for new ones. */
const RECORDS = ['17', '18', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'] as const;
const DEVICES = ['nurse', 'doctor'] as const;
const BEHAVIOURS: readonly Behaviour[] = [
  'apply',
  'apply',
  'apply',
  'applySilently',
  'applyUnanswered',
  'loseRequest',
  'refuse',
  'notSent',
  'notSent',
  'hang',
];

type Step =
  | { readonly do: 'push'; readonly by: number; readonly changes: readonly Wish[] }
  | { readonly do: 'repeat'; readonly which: number }
  | { readonly do: 'office'; readonly record: number }
  | { readonly do: 'crash' }
  | { readonly do: 'breakSource'; readonly isBroken: boolean }
  | { readonly do: 'wait'; readonly ms: number };

interface Wish {
  readonly record: number;
  readonly kind: 'note' | 'status' | 'both' | 'delete';
  readonly fromCurrent: boolean;
}

const wish: fc.Arbitrary<Wish> = fc.record({
  record: fc.nat(RECORDS.length - 1),
  kind: fc.constantFrom('note', 'status', 'both', 'delete'),
  fromCurrent: fc.boolean(),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      by: fc.nat(DEVICES.length - 1),
      changes: fc.array(wish, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('repeat' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('office' as const), record: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('breakSource' as const), isBroken: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(3_000) }) },
);

interface Sent {
  readonly session: Session;
  readonly changes: readonly PushedChange[];
  readonly results: PushResult[];
}

test('R7, R10, R11: whatever is pushed, lost, broken and killed, each accepted change is in the journal exactly once, and those in doubt at most once', async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: 30 }),
      fc.array(fc.constantFrom(...BEHAVIOURS), { maxLength: 40 }),
      async (steps, script) => {
        const history = await live(steps, script);
        for (const fate of await judge(history)) seen.set(fate, (seen.get(fate) ?? 0) + 1);
      },
    ),
    { numRuns: 150 },
  );
  // Every fate occurs, or the schedules show nothing.
  for (const fate of ['APPLIED', 'MERGED', 'CONFLICT', 'REJECTED', 'PARKED']) expect(seen.get(fate)).toBeGreaterThan(0);
});

/** Lives through the steps, then heals everything and waits until nothing moves any more. */
async function live(
  steps: readonly Step[],
  script: readonly Behaviour[],
): Promise<{ readonly clinic: Clinic; readonly sent: readonly Sent[] }> {
  const clinic = await createClinic({ isStarted: false });
  for (const id of RECORDS.slice(0, 2)) await clinic.visit(id);
  const versions = new Map(await Promise.all(RECORDS.map(async (id) => [id, await clinic.version(id)] as const)));
  clinic.source.script.push(...script);
  const sent: Sent[] = [];
  let life = begin(clinic);
  let lives = 1;

  for (const one of steps) {
    switch (one.do) {
      case 'push': {
        const wishes = await Promise.all(one.changes.map((change) => changeOf(clinic, change, versions)));
        send(life.push, sent, { session: clinic.session(DEVICES[one.by]), changes: wishes, results: [] });
        break;
      }
      case 'repeat': {
        const earlier = sent[one.which % Math.max(1, sent.length)];
        if (earlier !== undefined) send(life.push, sent, { ...earlier, results: [] });
        break;
      }
      case 'office': {
        const id = RECORDS[one.record] as string;
        if (clinic.source.rows.has(id)) clinic.source.edit(id, { note: `office ${clinic.clock.nowMs()}` });
        break;
      }
      case 'crash':
        life.kill();
        life = begin(clinic, ++lives);
        break;
      case 'breakSource':
        clinic.source.isBroken = one.isBroken;
        break;
      case 'wait':
        clinic.clock.advance(one.ms);
    }
    await turns(one.do === 'wait' ? 6 : 1);
  }
  clinic.source.isBroken = false;
  clinic.source.script.length = 0;
  // Longer than any lease, any backoff that so few attempts lead to, and any call.
  for (let n = 0; n < 150; n++) {
    clinic.clock.advance(1_000);
    await turns(3);
  }
  await life.push.stop();
  return { clinic, sent };
}

function send(push: Push, sent: Sent[], one: Sent): void {
  sent.push(one);
  push.push(one.session, one.changes, null).then(
    (results) => void one.results.push(...results),
    () => undefined,
  );
}

let values = 0;

async function changeOf(clinic: Clinic, { record, kind, fromCurrent }: Wish, versions: ReadonlyMap<string, string>) {
  const id = RECORDS[record] as string;
  const { seq } = await clinic.view(id);
  const isNew = record >= 2;
  const base = seq === 0 ? null : fromCurrent || isNew ? await clinic.version(id) : (versions.get(id) as string);
  if (kind === 'delete') return removal(id, base);
  // No value twice: of a record that has it already nobody can tell who set it (F4).
  const value = ++values;
  const note = kind === 'status' ? {} : { note: `note ${value}` };
  const status = kind === 'note' ? {} : { status: `status ${value}` };
  return edit(id, base, { ...note, ...status, ...(base === null ? { route: '7' } : {}) });
}

/** A process that can be killed: from then on nothing that it asks of its store comes back. */
function begin(clinic: Clinic, life = 1): { readonly push: Push; kill(): void } {
  let isDead = false;
  const never = new Promise<never>(() => undefined);
  const mortal = Object.entries(clinic.store).map(([name, call]) => [
    name,
    async (...values: unknown[]) => {
      if (isDead) return never;
      const answer: unknown = await (call as (...all: unknown[]) => unknown)(...values);
      return isDead ? never : answer;
    },
  ]);
  const push = clinic.another({ store: Object.fromEntries(mortal) as RecordStore, holder: `life ${life}` });
  push.start();
  return { push, kill: () => void (isDead = true) };
}

async function judge({ clinic, sent }: { readonly clinic: Clinic; readonly sent: readonly Sent[] }): Promise<string[]> {
  const fates: string[] = [];
  const { journal } = clinic.source;
  for (const { session, changes, results } of sent) {
    for (const [at, change] of changes.entries()) {
      const { tenant, user, device } = session;
      const key = hashText(JSON.stringify([tenant, user, device, change.changeId]));
      const times = journal.filter((one) => one === key).length;
      const fate = await clinic.fate(change.changeId, session);
      const told = results[at]?.status;
      fates.push(fate ?? 'unknown');
      switch (fate) {
        case 'APPLIED':
        case 'MERGED':
          expect({ fate, times }).toEqual({ fate, times: 1 });
          break;
        case 'CONFLICT':
        case 'REJECTED':
        case undefined:
          expect({ fate, times }).toEqual({ fate, times: 0 });
          break;
        case 'PARKED':
          expect(times).toBeLessThanOrEqual(1);
          break;
        default:
          // Only what stands behind a parked change still waits.
          expect(await lane(clinic, change.id)).toBe('PARKED');
          expect(times).toBe(0);
      }
      // What was said at the time still holds.
      if (told !== undefined && told !== 'ACCEPTED' && fate !== undefined) expect(fate).toBe(told);
      if (told === 'ACCEPTED') expect(fate).toBeDefined();
    }
  }
  return fates;
}

async function lane(clinic: Clinic, id: string): Promise<string | undefined> {
  const [view] = await clinic.store.readRecords(clinic.tenant, [{ collection: 'visits', id: id as RecordId }]);
  return view?.intents[0]?.state;
}
