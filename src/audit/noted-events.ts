import type { AuditEntry } from '../core/audit.js';

/** Kinds of events that are told apart until they are written; what goes beyond is told without user, device and collection. */
const MOST_TOLD_APART = 200;

/** Events that happen as often as somebody likes, counted until they are written: neither memory nor the log grows with a flood. */
export interface NotedEvents {
  note(event: Event): void;
  /** Hands out each kind once, with its count. What `write` fails at stays, and counts on. @throws what `write` throws */
  drain(write: (entry: AuditEntry) => Promise<void>): Promise<void>;
}

type Event = Omit<AuditEntry, 'count' | 'outcomeOf'>;

/** Kinds are told apart by action, user, collection and outcome; device and subject are those of the first of a kind. */
export function createNotedEvents(): NotedEvents {
  const counted = new Map<string, { readonly event: Event; count: number }>();

  function kindOf({ action, user, collection, outcome }: Event): string {
    return JSON.stringify([action, outcome, user, collection]);
  }

  return {
    note(event) {
      const isTold = counted.has(kindOf(event)) || counted.size < MOST_TOLD_APART;
      const told = isTold ? event : { ...event, user: null, device: null, collection: null, subject: null };
      const kind = kindOf(told);
      const known = counted.get(kind);
      if (known === undefined) counted.set(kind, { event: told, count: 1 });
      else known.count += 1;
    },
    async drain(write) {
      for (const [kind, noted] of [...counted]) {
        const { count } = noted;
        await write({ ...noted.event, count, outcomeOf: null });
        if (noted.count === count) counted.delete(kind);
        else noted.count -= count;
      }
    },
  };
}
