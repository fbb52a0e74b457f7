import { createAudit, type Audit } from '../../src/audit/audit.js';
import type { AuditRow } from '../../src/core/audit.js';
import { SyncError } from '../../src/core/errors.js';
import type { Session } from '../../src/core/session.js';
import type { Store } from '../../src/core/store-port.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { silentLog } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';

const TENANT = 'clinic';
const HOUR_MS = 3_600_000;

let clock: ManualClock;
let store: Store;
let audit: Audit;

const session = (who: Partial<Session> = {}): Session => ({
  ...{ tenant: TENANT, user: 'nurse', device: 'tablet', grant: { kind: 'every' } },
  ...who,
});
const OPERATOR = session({ user: 'dispatcher', device: null, isOperator: true });

const refused = (id: string, code = 'NOT_FOUND', collection = 'visits') =>
  ({ collection, id, status: 'REJECTED', error: { code } }) as const;

/** Time goes on, and what was waiting for it is done. */
async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  await new Promise((resolve) => setImmediate(resolve));
}

/** The log in short. */
async function told(): Promise<readonly string[]> {
  const { rows } = await store.readAudit(TENANT, { after: 0, limit: 1_000 });
  return rows.map(inShort);
}

function inShort({ no, user, action, collection, subject, outcome, count, outcomeOf }: AuditRow): string {
  const about = [collection, subject].filter((part) => part !== null).join(' ');
  return `${no} ${user} ${action} ${about} ${outcome}${count === 1 ? '' : ` x${count}`}${outcomeOf === null ? '' : ` of ${outcomeOf}`}`;
}

beforeEach(async () => {
  clock = createManualClock();
  store = createMemoryStore({ clock, chance: seededChance(36) });
  await store.openTenant(TENANT);
  audit = createAudit({ store, clock, log: silentLog }, TENANT);
});

describe('attack 36: an action of an operator', () => {
  const what = { action: 'settleChange', collection: 'visits', subject: '17' };

  test('stands between two rows, the first of which is there before it is done', async () => {
    const seen = await audit.around(OPERATOR, what, told, () => 'APPLIED');
    expect(seen).toEqual(['1 dispatcher settleChange visits 17 BEGUN']);
    expect(await told()).toEqual([...seen, '2 dispatcher settleChange visits 17 APPLIED of 1']);
  });

  test('that fails is told with its code', async () => {
    const failing = audit.around(OPERATOR, what, async () => {
      throw new SyncError('RECORD_BLOCKED', 'a call of it is under way');
    });
    await expect(failing).rejects.toThrow('a call of it is under way');
    expect((await told()).at(-1)).toBe('2 dispatcher settleChange visits 17 RECORD_BLOCKED of 1');
  });

  test('whose row cannot be written is not done', async () => {
    let acts = 0;
    const away = createAudit({ store: failingAt(1), clock, log: silentLog }, TENANT);
    await expect(away.around(OPERATOR, what, async () => (acts += 1))).rejects.toThrow('the store does not answer');
    expect(acts).toBe(0);
  });

  test('whose outcome cannot be written is done all the same, and the program log says so', async () => {
    const errors: string[] = [];
    const log = { ...silentLog, error: (text: string) => void errors.push(text) };
    const away = createAudit({ store: failingAt(2), clock, log }, TENANT);
    expect(await away.around(OPERATOR, what, async () => 'done')).toBe('done');
    expect(await told()).toEqual(['1 dispatcher settleChange visits 17 BEGUN']);
    expect(errors).toEqual(['the outcome of an action is missing in the audit log']);
  });

  test('may be about texts that no row can hold: they are cut', async () => {
    await audit.around(OPERATOR, { ...what, subject: `\u0000\ud800${'x'.repeat(255)}👍` }, told);
    const { rows } = await store.readAudit(TENANT, { after: 0, limit: 1 });
    expect(rows[0]?.subject).toBe(`\ufffd${'x'.repeat(255)}`);
  });
});

describe('attack 18: pushes that are refused for their scope', () => {
  test('are counted per user, collection and outcome until a minute is over; others are not told', async () => {
    audit.start();
    audit.sawAnswers(session(), [refused('V-1'), refused('V-2'), refused('P-1', 'FORBIDDEN', 'patients')]);
    audit.sawAnswers(session(), [refused('V-3'), refused('V-4', 'CONFLICT'), refused('V-5', 'VALIDATION')]);
    audit.sawAnswers(session({ user: 'carer' }), [refused('V-1')]);
    audit.sawAnswers(session(), [{ collection: 'visits', id: 'V-1', status: 'APPLIED', error: null }]);
    expect(await told()).toEqual([]);
    await pass(60_000);
    const first = [
      '1 nurse refusedPush visits V-1 NOT_FOUND x3',
      '2 nurse refusedPush patients P-1 FORBIDDEN',
      '3 carer refusedPush visits V-1 NOT_FOUND',
    ];
    expect(await told()).toEqual(first);
    audit.sawAnswers(session(), [refused('V-9')]);
    await audit.stop();
    expect(await told()).toEqual([...first, '4 nurse refusedPush visits V-9 NOT_FOUND']);
  });

  test('fill neither memory nor log, however many users and collections there are', async () => {
    for (let at = 0; at < 5_000; at++) {
      audit.sawAnswers(session({ user: `user-${at % 1_000}` }), [refused(`V-${at}`, 'NOT_FOUND', `c${at}`)]);
    }
    await audit.stop();
    const rows = await told();
    expect(rows).toHaveLength(201);
    expect(rows.at(-1)).toBe('201 null refusedPush  NOT_FOUND x4800');
  });

  test('are still counted when the store was away for a while', async () => {
    const away = createAudit({ store: failingAt(1), clock, log: silentLog }, TENANT);
    away.start();
    away.sawAnswers(session(), [refused('V-1')]);
    await pass(60_000);
    away.sawAnswers(session(), [refused('V-2')]);
    await away.stop();
    expect(await told()).toEqual(['1 nurse refusedPush visits V-1 NOT_FOUND x2']);
  });
});

test('an operator who is there is told once an hour, also where the store was away at first', async () => {
  const away = createAudit({ store: failingAt(1), clock, log: silentLog }, TENANT);
  await expect(away.sawOperator(OPERATOR)).rejects.toThrow('the store does not answer');
  for (let minute = 0; minute < 90; minute++) {
    await Promise.all([away.sawOperator(OPERATOR), away.sawOperator(OPERATOR)]);
    clock.advance(HOUR_MS / 60);
  }
  expect(await told()).toEqual(['1 dispatcher operatorSeen  DONE', '2 dispatcher operatorSeen  DONE']);
});

/** The store, but for one append at which it is away. */
function failingAt(which: number): Store {
  let appends = 0;
  return {
    ...store,
    async appendAudit(tenant, entry) {
      appends += 1;
      if (appends === which) throw new SyncError('UNAVAILABLE', 'the store does not answer');
      return store.appendAudit(tenant, entry);
    },
  };
}
