import fc from '../support/properties.js';
import { randomUUID } from 'node:crypto';
import type { Fields, SourceKey } from '../../src/core/change.js';
import type { PushedChange } from '../../src/push/pushed-change.js';
import { createPoller } from '../../src/ingest/poller.js';
import { hashText } from '../../src/server/telemetry.js';
import { silentLog } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';
import { removal, turns } from './pushing-clinic.js';
import { changeOf, createReferringClinic, PARENT_PATIENCE_MS, type ReferringClinic } from './referring-clinic.js';

const RECORDS = 5;
const ids = Array.from({ length: RECORDS }, (_, at) => `${at}2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c`);
const which = fc.integer({ min: 0, max: RECORDS - 1 });

/** What devices do at once: creates and changes of few records that refer to each other, in rings too, and deletions. */
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('customer' as const), of: which, to: fc.option(which) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('order' as const), of: which, to: which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('removal' as const), of: which, to: fc.constant(null) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function changeFor({ kind, of, to }: Step): PushedChange {
  const id = ids[of] as string;
  const target = to === null ? null : (ids[to] as string);
  switch (kind) {
    case 'customer':
      return changeOf('customers', id, { name: `customer ${of}`, parent: target });
    case 'order':
      return changeOf('orders', id, { note: 'n', customer: target });
    case 'removal':
      return removal(id, null, { collection: 'customers' });
  }
}

describe('changes that refer to each other', () => {
  test('F18: are all settled in the end, whatever refers to what, and no source sees an id that it does not have', async () => {
    const pushes = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 });
    const refusals = fc.array(fc.constantFrom('apply', 'apply', 'refuse', 'notSent') as fc.Arbitrary<'apply'>, {
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(pushes, refusals, async (plan, script) => {
        const clinic = await createReferringClinic();
        clinic.sources.customers.script.push(...script);
        for (const steps of plan) {
          await clinic.send(steps.map(changeFor));
        }
        for (
          let passed = 0;
          passed < 2 * PARENT_PATIENCE_MS && (await openIntents(clinic)).length > 0;
          passed += 2_000
        ) {
          await clinic.pass(2_000);
        }
        expect(await openIntents(clinic)).toEqual([]);
        for (const name of ['customers', 'orders'] as const) {
          for (const { fields } of clinic.sources[name].calls) {
            for (const key of [fields['parent'], fields['customer']]) {
              if (typeof key === 'string') expect(key).toMatch(/^made-/);
            }
          }
        }
        await clinic.push.stop();
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });
});

async function openIntents(clinic: ReferringClinic): Promise<readonly unknown[]> {
  const views = await clinic.store.readRecords(
    clinic.tenant,
    (['customers', 'orders'] as const).flatMap((collection) => ids.map((id) => ({ collection, id: id as never }))),
  );
  return views.flatMap(({ intents }) =>
    intents.map(({ collection, id, state, fields }) => [collection, id, state, fields]),
  );
}

describe('a record that a device creates while a poller reads', () => {
  type Act = 'create' | 'twinCreate' | 'answer' | 'poll' | 'office' | 'tick';

  test('F9: is one record in the end, under any order of calls, answers and polls', async () => {
    const acts = fc.array(fc.constantFrom<Act>('create', 'twinCreate', 'answer', 'poll', 'poll', 'office', 'tick'), {
      minLength: 4,
      maxLength: 16,
    });
    await fc.assert(
      fc.asyncProperty(acts, async (plan) => {
        const clinic = await createReferringClinic();
        const { customers, visits } = clinic.sources;
        const answers: (() => void)[] = [];
        let isOpen = false;
        const plain = customers.write.bind(customers);
        // The source takes it at once, and makes a visit that refers to it; its answer comes when it is let through.
        customers.write = async (write, signal) => {
          const [known] = [...customers.rows].filter(([, { fields }]) => fields['name'] === write.fields['name']);
          const outcome =
            known === undefined
              ? await plain(write, signal)
              : ({ kind: 'applied', observation: customers.showAs(known[0] as SourceKey) } as const);
          if (outcome.kind === 'applied' && outcome.observation !== null) {
            visits.edit(`of-${outcome.observation.sourceKey}`, {
              note: 'by default',
              customer: outcome.observation.sourceKey,
            });
          }
          if (!isOpen) await new Promise<void>((resolve) => answers.push(resolve));
          return outcome;
        };
        for (const source of [customers, visits]) {
          source.scan = async function* () {
            yield { observations: [...source.rows.keys()].map((key) => source.showAs(key as SourceKey)) };
          };
        }
        const poller = createPoller(
          { store: clinic.store, clock: clinic.clock, hash: hashText, log: silentLog, chance: seededChance(3) },
          { tenant: clinic.tenant, holder: 'poller', sources: Object.values(clinic.sources) },
        );
        const made: string[] = [];
        let names = 0;
        let office = 0;
        const create = (name: number): void => {
          const id = randomUUID();
          made.push(id);
          const by = clinic.session(`user-${made.length}`);
          void clinic.push.push(by, [changeOf('customers', id, { name: `name ${name}` })], null);
        };
        const perform: Record<Act, () => Promise<void> | void> = {
          create: () => create(++names),
          // Two devices make the same customer.
          twinCreate: () => create(Math.max(1, names)),
          answer: () => answers.shift()?.(),
          async poll() {
            await poller.round('customers');
            await poller.round('visits');
          },
          office: () => customers.edit(`office-${++office}`, { name: `office ${office}` }),
          tick: () => clinic.clock.advance(1_500),
        };
        for (const act of plan) {
          await perform[act]();
          await turns(4);
        }
        isOpen = true;
        for (const open of answers) open();
        for (let round = 0; round < 4; round++) {
          await clinic.pass(6_000);
          await perform.poll();
        }
        await expectOneEach(clinic, made);
        await clinic.push.stop();
      }),
      { numRuns: 60 },
    );
  });

  /** One living record for each of the source, every device's id leads to one, and what refers to it names that one. */
  async function expectOneEach(clinic: ReferringClinic, made: readonly string[]): Promise<void> {
    const { store, tenant, sources } = clinic;
    const { head } = await store.readHead(tenant);
    const keys = await store.knownKeys(tenant, 'customers', head, null, 1_000);
    expect([...keys].sort()).toEqual([...sources.customers.rows.keys()].sort());
    const byKey = await store.readBySourceKey(tenant, 'customers', keys);
    const living = new Set([...byKey.values()].map((view) => view.id as string));
    for (const id of made) {
      const view = await clinic.view('customers', id);
      expect(living).toContain(view.aliasOf ?? view.id);
    }
    for (const key of sources.visits.rows.keys()) {
      const seen = (await clinic.seen('visits', key)) as Fields;
      const { fields } = sources.visits.rows.get(key) ?? {};
      expect(seen['customer']).toBe(byKey.get(fields?.['customer'] as SourceKey)?.id);
    }
  }
});
