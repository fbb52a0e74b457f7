import { randomUUID } from 'node:crypto';
import type { Requests } from './requests.js';

/** Takes `$changes`. */
export const PUSH = `mutation Push($changes: [ChangeInput!]!) {
  push(changes: $changes) { results { changeId status error { code message } } }
}`;

/** The fields of a pushed record. */
export function fieldsOf(n: number): Readonly<Record<string, unknown>> {
  return {
    name: `Pushed customer ${n}`,
    street: `${n} Quay Street`,
    city: 'Porto',
    status: 'OPEN',
    note: 'Written on the phone, offline, between two visits in the harbour district; to be confirmed by the office.',
    amount: '12.50',
    count: n % 37,
    active: true,
    dueAt: '2026-06-01T08:00:00.000Z',
  };
}

/** So many new records, as a push takes them; others in each batch. */
export function creations(count: number, batch: number): readonly Readonly<Record<string, unknown>>[] {
  return Array.from({ length: count }, (_none, n) => ({
    changeId: `bench-${batch}-${n}-${randomUUID()}`,
    collection: 'items',
    id: randomUUID(),
    kind: 'UPSERT',
    changedAt: new Date().toISOString(),
    json: fieldsOf(batch * count + n),
  }));
}

/** @throws Error - one of them was not taken */
export async function pushBatch(
  requests: Requests,
  changes: readonly Readonly<Record<string, unknown>>[],
): Promise<void> {
  const { push } = await requests.graphql<{ push: { results: readonly { status: string; error: unknown }[] } }>(PUSH, {
    changes,
  });
  const failed = push.results.find((result) => result.status !== 'APPLIED' && result.status !== 'ACCEPTED');
  if (failed !== undefined) throw new Error(`expected APPLIED or ACCEPTED, got ${JSON.stringify(failed)}`);
}
