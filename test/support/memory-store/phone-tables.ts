import type { Seq } from '../../../src/core/change.js';
import { EVERY_SCOPE, type Registration } from '../../../src/core/device-port.js';
import type { Answered, HintWindows, PhoneContact, PhoneStore } from '../../../src/core/phone-port.js';
import type { Clock } from '../../../src/core/ports.js';
import { sameDevice, type DeviceKey } from '../../../src/core/session.js';
import { leaseKey, type Lease } from './ingest-tables.js';
import { deviceText, type Membership, type TenantTables } from './tables.js';

/** A registration, what is due to it, and what became of what was sent. Never changed in place. */
export interface StoredPhone extends Omit<Registration, 'seen'> {
  readonly key: DeviceKey;
  readonly registeredAtMs: number;
  readonly scopes: readonly string[];
  readonly pulledAtMs: number | null;
  readonly pulledSeq: Seq;
  readonly toldSeq: Seq;
  readonly due: { readonly sinceMs: number; readonly seq: Seq; readonly collections: readonly string[] } | null;
  readonly nextAtMs: number;
  readonly freeAtMs: number;
  readonly claim: number;
  readonly hintedAtMs: number | null;
  readonly unansweredSinceMs: number | null;
  readonly isEscalated: boolean;
  readonly isNoticeDue: boolean;
  readonly isStale: boolean;
}

export const NEVER_HINTED = {
  pulledAtMs: null,
  pulledSeq: 0 as Seq,
  toldSeq: 0 as Seq,
  due: null,
  nextAtMs: 0,
  freeAtMs: 0,
  hintedAtMs: null,
  unansweredSinceMs: null,
  isEscalated: false,
  isNoticeDue: false,
  isStale: false,
} as const;

/** What sleeping phones are owed. */
export function createPhoneTables(ports: {
  readonly clock: Clock;
  readonly leases: ReadonlyMap<string, Lease>;
  readonly tablesOf: (tenant: string) => TenantTables;
  readonly forWriting: (tenant: string) => TenantTables;
}): PhoneStore {
  const { clock, leases, tablesOf, forWriting } = ports;
  /** When the sockets of a device close at the latest, by device and then by gateway. */
  const awake = new Map<string, Map<string, number>>();
  const socketsOf = (key: DeviceKey): Map<string, number> => {
    const name = JSON.stringify([key.tenant, deviceText(key)]);
    const sockets = awake.get(name) ?? new Map<string, number>();
    awake.set(name, sockets);
    return sockets;
  };
  let claims = 0;

  return {
    async noteContacts(tenant, contacts) {
      const tables = forWriting(tenant);
      const answers: Answered[] = [];
      for (const contact of contacts) {
        const name = deviceText(contact.device);
        const phone = tables.phones.get(name);
        if (phone === undefined) continue;
        const { phone: next, answered } = afterContact(tables, phone, contact, clock.nowMs());
        tables.phones.set(name, next);
        if (answered !== null) answers.push(answered);
      }
      return answers;
    },

    async markDue(tenant, fence, { collections, upTo }) {
      const lease = leases.get(leaseKey(tenant, fence.name));
      if (lease?.fence !== fence.fence || lease.untilMs <= clock.nowMs()) return null;
      const tables = forWriting(tenant);
      const { epoch } = tables;
      const cursor = tables.hintCursor ?? { epoch, seq: tables.head };
      const isNewEpoch = cursor.epoch !== epoch;
      const head = isNewEpoch ? tables.head : (Math.min(tables.head, upTo) as Seq);
      tables.hintCursor = { epoch, seq: isNewEpoch ? head : (Math.max(head, cursor.seq) as Seq) };
      let marked = 0;
      for (const [name, phone] of tables.phones) {
        const names = isNewEpoch ? [] : movedFor(tables, phone, { after: cursor.seq, upTo: head }, collections);
        if (!isNewEpoch && names.length === 0) continue;
        marked += 1;
        const isForAll = isNewEpoch || phone.due?.collections.length === 0;
        const all = new Set([...(phone.due?.collections ?? []), ...names]);
        const due = {
          sinceMs: phone.due?.sinceMs ?? clock.nowMs(),
          seq: head,
          collections: isForAll ? [] : [...all].sort(),
        };
        const forgotten = isNewEpoch ? { pulledSeq: 0 as Seq, toldSeq: 0 as Seq } : {};
        tables.phones.set(name, { ...phone, ...forgotten, due });
      }
      return marked;
    },

    async takeDue(tenant, { windows, limit }) {
      const tables = forWriting(tenant);
      const nowMs = clock.nowMs();
      const first = [...tables.phones]
        .flatMap(([name, phone]) =>
          phone.due !== null && phone.nextAtMs <= nowMs ? [{ name, phone, due: phone.due }] : [],
        )
        .sort((a, b) => a.phone.nextAtMs - b.phone.nextAtMs)
        .slice(0, limit);
      const taken = first.flatMap(({ name, phone, due }) => {
        const awakeUntilMs = Math.max(...socketsOf(phone.key).values());
        if (awakeUntilMs > nowMs) {
          tables.phones.set(name, { ...phone, nextAtMs: awakeUntilMs });
          return [];
        }
        const claim = ++claims;
        const windowMs = windowOf(phone, windows);
        const freeAtMs = nowMs + windows[phone.platform];
        tables.phones.set(name, { ...phone, claim, nextAtMs: nowMs + windowMs, freeAtMs, isNoticeDue: false });
        const { key: device, platform, token } = phone;
        const { collections, sinceMs: dueAtMs, seq: dueSeq } = due;
        const isNotice = phone.isNoticeDue;
        return [{ device, platform, token, collections, dueAtMs, dueSeq, claim, takenAtMs: nowMs, isNotice }];
      });
      return { taken, hasMore: first.length === limit };
    },

    async settleHints(tenant, settlements) {
      const tables = forWriting(tenant);
      const nowMs = clock.nowMs();
      for (const settlement of settlements) {
        const name = deviceText(settlement.device);
        const phone = tables.phones.get(name);
        if (phone === undefined || phone.claim !== settlement.claim) continue;
        if (settlement.kind === 'gone') tables.phones.delete(name);
        else if (settlement.kind === 'unsent') {
          const isNoticeDue = phone.isNoticeDue || settlement.isNotice;
          tables.phones.set(name, { ...phone, nextAtMs: nowMs + settlement.afterMs, isNoticeDue });
        } else if (settlement.kind === 'unclear') {
          tables.phones.set(name, { ...phone, nextAtMs: Math.max(phone.nextAtMs, nowMs + settlement.afterMs) });
        } else {
          const { takenAtMs } = settlement;
          const isDone = phone.due !== null && phone.due.seq <= settlement.dueSeq && !phone.isNoticeDue;
          const hasPulled = phone.pulledAtMs !== null && phone.pulledAtMs >= takenAtMs;
          tables.phones.set(name, {
            ...phone,
            due: isDone ? null : phone.due,
            hintedAtMs: takenAtMs,
            unansweredSinceMs: hasPulled ? phone.unansweredSinceMs : (phone.unansweredSinceMs ?? takenAtMs),
          });
        }
      }
    },

    async findSilent(tenant, { escalateAfterMs, staleAfterMs, hasNotice }) {
      const tables = forWriting(tenant);
      const found = { escalated: 0, stale: 0 };
      for (const [name, phone] of tables.phones) {
        if (phone.unansweredSinceMs === null || phone.isStale) continue;
        const forMs = clock.nowMs() - phone.unansweredSinceMs;
        if (forMs > staleAfterMs) {
          found.stale += 1;
          tables.phones.set(name, { ...phone, isStale: true, isNoticeDue: false });
        } else if (forMs > escalateAfterMs && !phone.isEscalated) {
          found.escalated += 1;
          const due = phone.due ?? { sinceMs: clock.nowMs(), seq: 0 as Seq, collections: [] };
          const noticed = hasNotice ? { due, isNoticeDue: true } : {};
          tables.phones.set(name, { ...phone, ...noticed, isEscalated: true });
        }
      }
      return found;
    },

    async countPhones(tenant) {
      const phones = [...tablesOf(tenant).phones.values()];
      const due = phones.flatMap((phone) => (phone.due === null ? [] : [{ phone, due: phone.due }]));
      const waiting = due
        .filter(({ phone }) => phone.nextAtMs <= clock.nowMs())
        .map((one) => Math.max(one.due.sinceMs, one.phone.nextAtMs));
      const count = (platform: string): number => phones.filter((phone) => phone.platform === platform).length;
      return {
        byPlatform: { ANDROID: count('ANDROID'), IOS: count('IOS'), WEB: count('WEB') },
        due: due.length,
        oldestDueAtMs: waiting.length === 0 ? null : Math.min(...waiting),
        stale: phones.filter(({ isStale }) => isStale).length,
      };
    },

    async noteAwake(tenant, node, sockets) {
      const { phones } = tablesOf(tenant);
      const isPhone = (device: DeviceKey): boolean => phones.has(deviceText(device));
      for (const { device, forMs } of sockets) if (isPhone(device)) socketsOf(device).set(node, clock.nowMs() + forMs);
      return sockets.map(({ device }) => device).filter((device) => !isPhone(device));
    },

    async noteAsleep(tenant, node, devices) {
      const { phones } = forWriting(tenant);
      for (const device of devices) {
        const sockets = socketsOf(device);
        const untilMs = sockets.get(node) ?? 0;
        sockets.delete(node);
        const phone = phones.get(deviceText(device));
        if (!phone?.due || phone.nextAtMs > untilMs) continue;
        phones.set(deviceText(device), { ...phone, nextAtMs: Math.min(phone.nextAtMs, phone.freeAtMs) });
      }
    },
  };
}

function windowOf({ platform, isStale }: StoredPhone, windows: HintWindows): number {
  return Math.max(windows[platform], isStale ? windows.staleMs : 0);
}

function afterContact(
  tables: TenantTables,
  phone: StoredPhone,
  { agoMs, seen, pulled, told, device }: PhoneContact,
  nowMs: number,
): { readonly phone: StoredPhone; readonly answered: Answered | null } {
  const atMs = nowMs - agoMs;
  const reached = pulled?.epoch === tables.epoch ? pulled : null;
  const covers = (names: readonly string[]): boolean =>
    reached !== null &&
    (reached.collections === null || (names.length > 0 && names.every((name) => reached.collections?.includes(name))));
  const unheard = [...tables.changes.values()].filter(
    (change) =>
      sameDevice(change.device, device) &&
      (change.settledSeq ?? 0) > Math.max(phone.pulledSeq, phone.toldSeq) &&
      !told.includes(change.changeId),
  );
  const isDueCovered = phone.due !== null && (reached?.seq ?? -1) >= phone.due.seq && covers(phone.due.collections);
  const { unansweredSinceMs: sinceMs } = phone;
  const isAnswer = pulled !== null && sinceMs !== null && sinceMs <= atMs;
  const answer = { unansweredSinceMs: null, isEscalated: false, isNoticeDue: false, isStale: false };
  const nextAtMs = isAnswer && phone.isStale ? Math.min(phone.nextAtMs, phone.freeAtMs) : phone.nextAtMs;
  return {
    phone: {
      ...phone,
      scopes: atMs >= (phone.pulledAtMs ?? 0) ? seen.scopes : phone.scopes,
      pulledAtMs: pulled === null ? phone.pulledAtMs : Math.max(phone.pulledAtMs ?? 0, atMs),
      pulledSeq: covers(phone.collections ?? [])
        ? (Math.max(phone.pulledSeq, reached?.seq ?? 0) as Seq)
        : phone.pulledSeq,
      toldSeq: told.length > 0 && unheard.length === 0 ? tables.head : phone.toldSeq,
      due: isDueCovered ? null : phone.due,
      nextAtMs,
      ...(isAnswer ? answer : {}),
    },
    answered: isAnswer ? { platform: phone.platform, afterMs: atMs - sinceMs } : null,
  };
}

/** Collections in which something moved that a phone has to pull. */
function movedFor(
  tables: TenantTables,
  phone: StoredPhone,
  { after, upTo }: { readonly after: Seq; readonly upTo: Seq },
  all: readonly string[],
): readonly string[] {
  const isBehind = (seq: Seq | null, ...places: readonly Seq[]): boolean =>
    seq !== null && seq > Math.max(after, ...places) && seq <= upTo;
  const ofIt = [...tables.changes.values()].filter((change) => sameDevice(change.device, phone.key));
  const own = new Set(ofIt.filter(({ status }) => status === 'APPLIED').map(({ settledSeq }) => settledSeq));
  const isSeen = ({ scope }: Membership): boolean => phone.scopes.includes(EVERY_SCOPE) || phone.scopes.includes(scope);
  const rows = [...tables.memberships.values()]
    .flat()
    .filter((row) => isBehind(row.seq, phone.pulledSeq) && isSeen(row) && !own.has(row.seq))
    .map(({ collection }) => collection)
    .filter((name) => all.includes(name));
  const receipts = ofIt
    .filter(({ settledSeq }) => isBehind(settledSeq, phone.pulledSeq, phone.toldSeq))
    .map(({ collection }) => collection);
  return [...new Set([...rows, ...receipts])].filter((name) => phone.collections?.includes(name) ?? true);
}
