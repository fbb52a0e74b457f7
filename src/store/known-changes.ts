import type { RecordId } from '../core/change.js';
import type { DeviceStanding } from '../core/device-port.js';
import type { ChangeError } from '../core/errors.js';
import type { PushStatus } from '../core/intent.js';
import type { KnownChange } from '../core/record-port.js';
import type { DeviceKey } from '../core/session.js';
import { storeFault, type Database } from './database.js';
import { STANDING } from './devices.js';
import { BLOCKER } from './intent-row.js';

/** What is remembered of a device's changes (R7), and how the device stands. */
export async function readChanges(
  database: Database,
  device: DeviceKey,
  changeIds: readonly string[],
): Promise<{ readonly standing: DeviceStanding; readonly known: readonly KnownChange[] }> {
  const text = `
    select
      (select ${STANDING} from device where tenant = $1 and user_id = $2 and device = $3) as standing,
      (select json_agg(p) from (
        select c.change_id, c.body_hash, c.collection, c.record_id, c.status, c.error, c.kept,
          coalesce((select ${BLOCKER} from intent t where t.intent_no = c.intent_no), c.blocked_by) as blocked_by
        from json_array_elements_text($4::json) as n (change_id)
        cross join lateral (
          select * from push_change
          where tenant = $1 and user_id = $2 and device = $3 and change_id = n.change_id limit 1
        ) c
      ) p) as known`;
  try {
    const values = [device.tenant, device.user, device.device, JSON.stringify(changeIds)];
    const { rows } = await database.query<{ standing: DeviceStanding | null; known: readonly ChangeRow[] | null }>({
      name: 'read_changes',
      text,
      values,
    });
    return { standing: rows[0]?.standing ?? 'kept', known: (rows[0]?.known ?? []).map(knownOf) };
  } catch (cause) {
    throw storeFault(cause);
  }
}

/** A row of `push_change`, as `knownOf` reads it. */
export interface ChangeRow {
  readonly change_id: string;
  readonly body_hash: string;
  readonly collection: string;
  readonly record_id: string;
  readonly status: PushStatus;
  readonly error: string | null;
  readonly blocked_by: string | null;
  readonly kept: string | null;
}

export function knownOf(row: ChangeRow): KnownChange {
  return {
    changeId: row.change_id,
    bodyHash: row.body_hash,
    collection: row.collection,
    id: row.record_id as RecordId,
    status: row.status,
    error: errorOf(row.error),
    blockedBy: row.blocked_by,
    kept: row.kept,
  };
}

export function errorOf(text: string | null): ChangeError | null {
  return text === null ? null : (JSON.parse(text) as ChangeError);
}
