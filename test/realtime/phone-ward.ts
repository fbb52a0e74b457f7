import type { RecordId, Seq } from '../../src/core/change.js';
import type { Platform } from '../../src/core/device-port.js';
import type { HintOutcome, PhoneHint, PhoneSender } from '../../src/core/phone-hint-port.js';
import type { HintWindows } from '../../src/core/phone-port.js';
import type { Log } from '../../src/core/ports.js';
import type { DeviceKey, Session } from '../../src/core/session.js';
import type { Store } from '../../src/core/store-port.js';
import { createLeasedWork } from '../../src/ingest/leased-work.js';
import { createContacts, type Contacts } from '../../src/realtime/contacts.js';
import { createHintDelivery, type HintDelivery } from '../../src/realtime/hint-delivery.js';
import { createOpenSockets, type OpenSocket, type OpenSockets } from '../../src/realtime/open-sockets.js';
import { createSeenScopes } from '../../src/realtime/seen-scopes.js';
import { hashText } from '../../src/server/telemetry.js';
import { acceptedFinal, settled, shown, VISITS } from '../contract/store/world.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { createMemoryStore, type MemoryStore } from '../support/memory-store/memory-store.js';
import { silentLog } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';

export const WINDOWS: HintWindows = { ANDROID: 30_000, IOS: 90_000, WEB: 10_000, staleMs: 600_000 };
export const TENANTS = ['north-clinic', 'south-clinic'] as const;

/** A phone of the ward: whose it is, and what its user sees. */
export interface WardPhone {
  readonly key: DeviceKey;
  readonly platform: Platform;
  readonly scopes: readonly string[];
  readonly token: string;
}

export interface SentHint extends PhoneHint {
  readonly sentAtMs: number;
  /** What the push service answered; `none`: the node ended before it did. */
  readonly answer: HintOutcome['kind'] | 'none' | 'unclear';
}

/** What the push service says to the next hints; `none`: nothing, ever. */
export type Answer = 'sent' | 'quota' | 'breaker' | 'unreachable' | 'none';

/** Two tenants, some sleeping phones, and gateways that hint them, on a clock that moves by hand. */
export interface PhoneWard {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly phones: readonly WardPhone[];
  readonly hints: SentHint[];
  readonly warnings: string[];
  answer: Answer;
  /** The source shows a record in a scope. */
  commit(tenant: string, scope: string): Promise<void>;
  /** A phone pushes a change that is settled as it was made, and is told so. */
  push(phone: WardPhone): Promise<void>;
  /** A phone pulls to the end, at a node that lives. */
  pull(phone: WardPhone): Promise<void>;
  open(phone: WardPhone): void;
  /** Its node hears of it. */
  close(phone: WardPhone): void;
  /** The node that works ends without a word, and another one starts. */
  kill(): void;
  pass(ms: number): Promise<void>;
  stop(): Promise<void>;
}

interface Node {
  isAlive: boolean;
  readonly parts: readonly (HintDelivery | Contacts | OpenSockets)[];
  readonly contacts: ReadonlyMap<string, Contacts>;
  readonly sockets: OpenSockets;
}

const PHONES: readonly (readonly [tenant: string, user: string, platform: Platform, scopes: readonly string[]])[] = [
  [TENANTS[0], 'ann', 'ANDROID', ['a']],
  [TENANTS[0], 'ben', 'IOS', ['a', 'b']],
  [TENANTS[0], 'cleo', 'WEB', ['b']],
  [TENANTS[0], 'dan', 'ANDROID', ['nobody']],
  [TENANTS[1], 'ann', 'ANDROID', ['a']],
];

export async function createPhoneWard(
  escalation: Parameters<typeof createHintDelivery>[1]['escalation'] = {
    afterMs: 1e9,
    staleAfterMs: 1e10,
    hasNotice: false,
  },
): Promise<PhoneWard> {
  const clock = createManualClock();
  const store = createMemoryStore({ clock, chance: seededChance(3) });
  const seenBy = createSeenScopes(hashText);
  const hints: SentHint[] = [];
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (what) => void warnings.push(what) };
  const sockets = new Map<WardPhone, OpenSocket>();
  let records = 0;
  let nodes = 0;

  const phones = PHONES.map(([tenant, user, platform, scopes]): WardPhone => {
    const key = { tenant, user, device: 'phone' };
    return { key, platform, scopes, token: `${tenant} ${user}` };
  });
  for (const tenant of TENANTS) await store.openTenant(tenant);
  for (const one of phones) {
    const { platform, token } = one;
    await store.registerDevice(one.key, { platform, token, collections: null, seen: seenBy(sessionOf(one)) }, 10);
  }

  function startNode(): Node {
    const holder = `node ${++nodes}`;
    const node = { isAlive: true };
    const own = whileAlive(store, node);
    const sender: Pick<PhoneSender, 'send'> = {
      async send(batch) {
        const { answer } = ward;
        const kind =
          answer === 'quota' || answer === 'breaker' ? 'later' : answer === 'unreachable' ? 'unclear' : answer;
        hints.push(...batch.map((hint): SentHint => ({ ...hint, sentAtMs: clock.nowMs(), answer: kind })));
        if (answer === 'none') {
          node.isAlive = false;
          return new Promise(() => undefined);
        }
        return batch.map((): HintOutcome => {
          if (answer === 'sent') return { kind: 'sent' };
          return { kind: 'later', reason: answer, afterMs: 5_000 };
        });
      },
    };
    const ports = { store: own, clock, log, chance: seededChance(nodes), seenBy };
    const contacts = new Map(
      TENANTS.map((tenant) => [tenant, createContacts({ ...ports, onAnswered: () => undefined }, { tenant })]),
    );
    const deliveries = TENANTS.map((tenant) =>
      createHintDelivery(
        {
          ...ports,
          sender,
          leased: createLeasedWork(ports, { tenant, holder }),
          counts: null,
        },
        { tenant, holder, collections: [VISITS], windows: WINDOWS, escalation },
      ),
    );
    const openSockets = createOpenSockets(ports, { node: holder });
    const parts = [...contacts.values(), openSockets, ...deliveries];
    for (const part of parts) part.start();
    return Object.assign(node, { parts, contacts, sockets: openSockets });
  }

  const working: Node[] = [];
  const alive = (): Node => {
    for (
      let found = working.findIndex((one) => !one.isAlive);
      found >= 0;
      found = working.findIndex((one) => !one.isAlive)
    ) {
      working.splice(found, 1);
      sockets.clear();
    }
    while (working.length < 2) working.push(startNode());
    return working[0] as Node;
  };

  const ward: PhoneWard = {
    clock,
    store,
    phones,
    hints,
    warnings,
    answer: 'sent',
    async commit(tenant, scope) {
      const id = `r${++records}`;
      const next = { ...shown(id), scopes: [scope] };
      await store.commit(tenant, [
        { collection: VISITS, id: id as RecordId, expected: { seq: 0 as Seq, mark: 0 }, next },
      ]);
    },
    async push({ key, scopes, ...rest }) {
      const id = `r${++records}`;
      await store.commit(key.tenant, [
        {
          collection: VISITS,
          id: id as RecordId,
          expected: { seq: 0 as Seq, mark: 0 },
          next: { ...shown(id), scopes: [scopes[0] as string], throughUs: true },
          acceptance: acceptedFinal(key, id),
          settlement: settled(key, id),
        },
      ]);
      alive()
        .contacts.get(key.tenant)
        ?.told(sessionOf({ key, scopes, ...rest }), [id]);
    },
    async pull(phone) {
      const { epoch, head } = await store.readHead(phone.key.tenant);
      const reached = { epoch, seq: head, collections: null };
      alive().contacts.get(phone.key.tenant)?.pulled(sessionOf(phone), clock.monotonicMs(), reached);
    },
    open(phone) {
      const { sockets: open } = alive();
      if (!sockets.has(phone)) sockets.set(phone, open.opened(phone.key));
    },
    close(phone) {
      sockets.get(phone)?.closed();
      sockets.delete(phone);
    },
    kill() {
      alive().isAlive = false;
      alive();
    },
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 1_000) {
        alive();
        clock.advance(1_000);
        if ((passed / 1_000) % 12 === 0) for (const socket of sockets.values()) socket.seen();
        for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async stop() {
      const stopping = working
        .filter(({ isAlive }) => isAlive)
        .flatMap(({ parts }) => parts.map((part) => part.stop()));
      await Promise.all(stopping);
    },
  };
  alive();
  return ward;
}

function sessionOf({ key, scopes }: Pick<WardPhone, 'key' | 'scopes'>): Session {
  return { ...key, grant: { kind: 'listed', scopes } };
}

/** The store as a node has it: when it ends, nothing of it comes through any more and nothing is answered. */
function whileAlive(store: Store, node: { readonly isAlive: boolean }): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      const found: unknown = Reflect.get(target, name, receiver);
      if (typeof found !== 'function' || name === 'onAdvance') return found;
      return async (...args: unknown[]): Promise<unknown> => {
        if (!node.isAlive) return new Promise(() => undefined);
        const answer: unknown = await (found as (...all: unknown[]) => unknown).apply(target, args);
        return node.isAlive ? answer : new Promise(() => undefined);
      };
    },
  });
}
