import type { Seq } from '../../src/core/change.js';
import type { PhoneContact } from '../../src/core/phone-port.js';
import type { Session } from '../../src/core/session.js';
import { createContacts, type Contacts } from '../../src/realtime/contacts.js';
import { createSeenScopes } from '../../src/realtime/seen-scopes.js';
import { hashText } from '../../src/server/telemetry.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { silentLog } from '../support/postgres.js';

const nurse: Session = {
  tenant: 'clinic',
  user: 'nurse',
  device: 'tablet',
  grant: { kind: 'listed', scopes: ['north'] },
};
const upTo = (seq: number): NonNullable<PhoneContact['pulled']> => ({
  epoch: 'e1' as never,
  seq: seq as Seq,
  collections: null,
});

interface Noting {
  readonly clock: ManualClock;
  readonly contacts: Contacts;
  /** What each write brought. */
  readonly written: PhoneContact[][];
  /** Called with each write; it fails when this throws. */
  onWrite: () => void;
  readonly pass: (ms: number) => Promise<void>;
}

function noting(): Noting {
  const clock = createManualClock();
  const written: PhoneContact[][] = [];
  const store = {
    async noteContacts(_tenant: string, contacts: readonly PhoneContact[]) {
      one.onWrite();
      written.push([...contacts]);
      return [];
    },
  };
  const ports = { store, clock, log: silentLog, seenBy: createSeenScopes(hashText), onAnswered: () => undefined };
  const contacts = createContacts(ports, { tenant: 'clinic' });
  const one: Noting = {
    clock,
    contacts,
    written,
    onWrite: () => undefined,
    async pass(ms) {
      clock.advance(ms);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
  contacts.start();
  return one;
}

describe('H3: who was here is noted', () => {
  test('a push right behind a pull does not make the pull later: it answers no hint that it did not follow', async () => {
    const { clock, contacts, written, pass } = noting();
    contacts.pulled(nurse, clock.monotonicMs(), upTo(7));
    clock.advance(400);
    contacts.told(nurse, ['c1']);
    await pass(600);
    expect(written).toEqual([[expect.objectContaining({ agoMs: 1_000, pulled: upTo(7), told: ['c1'] })]]);
    await contacts.stop();
  });

  test('of two pulls the later one counts, whichever ended first', async () => {
    const { clock, contacts, written, pass } = noting();
    const beganMs = clock.monotonicMs();
    clock.advance(400);
    contacts.pulled(nurse, clock.monotonicMs(), upTo(9));
    contacts.pulled(nurse, beganMs, upTo(7));
    await pass(600);
    expect(written).toEqual([[expect.objectContaining({ agoMs: 600, pulled: upTo(9) })]]);
    await contacts.stop();
  });

  test('what the store did not take is noted with what came since', async () => {
    const world = noting();
    const { clock, contacts, written, pass } = world;
    world.onWrite = () => {
      contacts.told(nurse, ['c2']);
      throw new Error('the store does not answer');
    };
    contacts.pulled(nurse, clock.monotonicMs(), upTo(7));
    contacts.told(nurse, ['c1']);
    await pass(1_000);
    world.onWrite = () => undefined;
    await pass(1_000);
    expect(written).toEqual([[expect.objectContaining({ agoMs: 2_000, pulled: upTo(7), told: ['c1', 'c2'] })]]);
    await contacts.stop();
  });

  test('what comes while others are written waits for the next second; a stop writes it', async () => {
    const world = noting();
    const { contacts, written, pass } = world;
    world.onWrite = () => void (written.length < 3 && contacts.told(nurse, [`c${written.length + 2}`]));
    contacts.told(nurse, ['c1']);
    await pass(1_000);
    expect(written.flat().map(({ told }) => told)).toEqual([['c1']]);
    await pass(1_000);
    expect(written.flat().map(({ told }) => told)).toEqual([['c1'], ['c2']]);
    await contacts.stop();
    expect(written.flat().map(({ told }) => told)).toEqual([['c1'], ['c2'], ['c3'], ['c4']]);
  });
});
