import { hashText } from '../../src/server/telemetry.js';
import type { SentCall } from '../../src/core/intent.js';
import type { LeasedIntent } from '../../src/core/outbox-port.js';
import type { Session } from '../../src/core/session.js';
import { createKeptConflicts, type KeptConflicts } from '../../src/push/kept-conflicts.js';
import { createOperator, type Operator } from '../../src/push/operator.js';
import type { PushedChange } from '../../src/push/pushed-change.js';
import { settleParked } from '../../src/push/settle.js';
import type { Clinic } from './pushing-clinic.js';

/** Where an operator of a clinic sits. */
export interface Desk {
  readonly operator: Operator;
  readonly conflicts: KeptConflicts;
  readonly session: Session;
  /**
   * A change whose call's outcome nobody knows any more.
   *
   * @param call what was sent; null: nothing ever was
   * @returns its number
   */
  readonly park: (change: PushedChange, call: Partial<SentCall> | null, by?: Session) => Promise<number>;
}

export function openDesk(clinic: Clinic): Desk {
  const { store, clock, source, push, tenant } = clinic;
  const ports = { store, clock, hash: hashText };
  return {
    operator: createOperator(ports, { sources: [source], wake: () => push.wake() }),
    conflicts: createKeptConflicts(ports, (session, changes, sentAtMs) => push.push(session, changes, sentAtMs)),
    session: { tenant, user: 'dispatcher', device: null, grant: { kind: 'every' }, isOperator: true },
    async park(change, call, by) {
      source.isBroken = true;
      expect(await clinic.sendOne(change, by)).toMatchObject({ status: 'ACCEPTED' });
      const due = { tenant, collections: ['visits'], holder: 'gone', leaseMs: 60_000, limit: 1 };
      const leased = await store.leaseIntents(due);
      const intent = leased[0] as LeasedIntent;
      expect(intent.changeId).toBe(change.changeId);
      if (call !== null) {
        const { id, seq, mark, sourceKey, sourceVersion } = await clinic.view(change.id);
        const fields = JSON.parse(intent.fields) as SentCall['fields'];
        const sent: SentCall = { kind: 'update', sourceKey, fields, status: 'APPLIED', ...call };
        const note = {
          intentNo: intent.intentNo,
          fence: intent.fence,
          collection: 'visits',
          id,
          expected: { seq, mark },
        };
        const [noted] = await store.noteSent(tenant, [
          { ...note, payload: JSON.stringify(sent), guard: sourceVersion, deadlineMs: 5_000 },
        ]);
        expect(noted).toBe('sent');
      }
      const [outcome] = await store.commit(tenant, [
        settleParked(await clinic.view(change.id), intent, 'clinic: connection reset'),
      ]);
      expect(outcome?.kind).toBe('written');
      source.isBroken = false;
      return intent.intentNo;
    },
  };
}

/** What the nurse's phone is told of a change in its next pull. */
export async function receiptOf(clinic: Clinic, changeId: string) {
  const { device = '', user, tenant } = clinic.session();
  const key = { tenant, user, device: device ?? '' };
  const { head } = await clinic.store.readHead(tenant);
  const told = await clinic.store.snapshot(tenant, (snapshot) => snapshot.receipts(key, 0 as typeof head, head));
  return told.find((receipt) => receipt.changeId === changeId);
}
