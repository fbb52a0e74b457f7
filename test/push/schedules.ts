import { randomUUID } from 'node:crypto';
import { formatVersion, type RecordId, type SourceKey } from '../../src/core/change.js';
import { renderBody, type Policy } from '../../src/core/collection.js';
import { EVERY_FIELD } from '../../src/core/conflict.js';
import { idOfSourceKey } from '../../src/core/id.js';
import type { Clock } from '../../src/core/ports.js';
import type { RecordStore } from '../../src/core/record-port.js';
import { SOURCE_WRITER } from '../../src/core/session.js';
import { createReferenceMap } from '../../src/core/reference-map.js';
import type { Observation, SourceFacts, SourceWriteOutcome } from '../../src/core/source-port.js';
import { createFates } from '../../src/push/fates.js';
import { createOutbox } from '../../src/push/outbox.js';
import { createPush } from '../../src/push/push.js';
import { hashText } from '../../src/server/telemetry.js';
import type { Choose } from '../support/choices.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore, type MemoryStore } from '../support/memory-store/memory-store.js';
import { silentLog } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';
import { createDoubtfulSource, FATES, LIFETIME_MS, type DoubtfulSource, type RequestFate } from './doubtful-source.js';
import { edit, removal, visitsCollection } from './pushing-clinic.js';

/** What is tried: what the source offers, and what is done to it. */
export interface Trial {
  readonly kind: 'create' | 'update' | 'delete';
  readonly facts: Partial<SourceFacts>;
  readonly showsVersions: boolean;
  readonly policy?: Policy;
  /** Requests whose fate is chosen; the others are answered. */
  readonly attempts: number;
  /** May the process be killed, once, at any of its steps? */
  readonly kills: boolean;
  /** What may become of a request. Default: every fate of a request with something of ours. */
  readonly fates?: readonly RequestFate[];
  readonly refusesTwins?: boolean;
  /** A rule broken on purpose. */
  readonly breakRule?: (world: {
    readonly source: DoubtfulSource;
    readonly store: MemoryStore;
  }) => Partial<RecordStore>;
}

/** How one schedule ended. */
export interface Ending {
  readonly status: string | undefined;
  readonly message: string;
  /** How often the change took effect at its source. */
  readonly times: number;
  readonly trail: readonly string[];
}

/** The steps around which a process may be killed, in words. */
const COUNTING: Readonly<Record<string, string>> = {
  noteSent: 'the note',
  leaveInDoubt: 'leaving it in doubt',
  releaseIntent: 'giving it back',
  commit: 'settling',
};

const TENANT = 'clinic';
/** Longer than every wait that a change can meet here. */
const MOST_STEPS = 3_000;

/** Lives through one schedule: pushes one change, then goes from timer to timer until it is settled or parked. */
export async function live(trial: Trial, choose: Choose): Promise<Ending> {
  const trail: string[] = [];
  const time = createSteppedClock();
  const { clock } = time;
  const store = createMemoryStore({ clock, chance: seededChance(1) });
  await store.openTenant(TENANT);
  const collection = visitsCollection(trial.policy ?? 'deviceWins');
  const source = createDoubtfulSource(collection, clock, { ...FACTS, ...trial.facts }, trial.showsVersions);
  source.refusesTwins = trial.refusesTwins ?? false;
  source.fateOf = (attempt) => {
    const fates = trial.fates ?? FATES;
    const fate = attempt <= trial.attempts ? (fates[choose(fates.length)] as RequestFate) : 'answered';
    trail.push(fate);
    return fate;
  };
  for (const id of ['17', 'canary']) await observe(store, source, id);
  const broken = trial.breakRule?.({ source, store }) ?? {};

  const fates = createFates(clock);
  let life = 0;
  let isKilled = !trial.kills;
  function begin(): void {
    const number = ++life;
    let isDead = false;
    const never = new Promise<never>(() => undefined);
    /** What a process does comes to nothing once it is killed; it may be killed just before and just after the steps that count. */
    function mortal<Values extends unknown[], Result>(step: (...values: Values) => Promise<Result>, name?: string) {
      const dies = (when: string): boolean => {
        if (isDead || isKilled || name === undefined || choose(2) === 0) return isDead;
        trail.push(`killed ${when} ${name}`);
        isDead = isKilled = true;
        queueMicrotask(begin);
        return true;
      };
      return async (...values: Values): Promise<Result> => {
        if (dies('before')) return await never;
        const result = await step(...values);
        return dies('after') ? await never : result;
      };
    }
    const steps = Object.fromEntries(
      Object.entries({ ...store, ...broken }).map(([name, step]) => [
        name,
        mortal(step as (...values: unknown[]) => Promise<unknown>, COUNTING[name]),
      ]),
    ) as unknown as MemoryStore;
    const sources = [
      {
        ...source,
        write: mortal<Parameters<typeof source.write>, SourceWriteOutcome>(
          (...call) => source.write(...call),
          'the call',
        ),
        readOne: mortal<Parameters<typeof source.readOne>, Observation | 'absent'>(
          (...key) => source.readOne(...key),
          'a read',
        ),
      },
    ];
    const outbox = createOutbox(
      {
        store: steps,
        references: createReferenceMap(steps, sources),
        clock,
        chance: seededChance(number),
        hash: hashText,
        log: silentLog,
        fates,
      },
      { tenant: TENANT, sources, holder: `life ${number}`, parentPatienceMs: 900_000 },
    );
    outbox.start();
  }

  const { epoch } = await store.readHead(TENANT);
  const id = trial.kind === 'create' ? randomUUID() : '17';
  const [before] = await store.readRecords(TENANT, [{ collection: 'visits', id: id as RecordId }]);
  const base = before === undefined || before.seq === 0 ? null : formatVersion(epoch, before.seq);
  const change =
    trial.kind === 'delete'
      ? removal(id, base)
      : edit(id, base, { note: 'mine', ...(base === null ? { route: '7' } : {}) });
  const session = { tenant: TENANT, user: 'nurse', device: 'phone', grant: { kind: 'every' } } as const;
  // Accepted by a process that is gone, so that every schedule begins alike.
  const accepting = createPush(
    { store, clock, chance: seededChance(0), hash: hashText, log: silentLog },
    { tenant: TENANT, sources: [{ ...source, isDown: () => true }], holder: 'accepting', patienceMs: 0 },
  );
  void accepting.push(session, [change], null);
  await flush();
  begin();

  for (let step = 0; step < MOST_STEPS; step++) {
    await flush();
    const { known } = await store.readChanges(session, [change.changeId]);
    const status = known[0]?.status;
    if (status !== undefined && status !== 'ACCEPTED') break;
    if (!time.next()) break;
  }
  // What is late comes now, after everything was told.
  for (let late = 0; late < 3; late++) {
    clock.advance(LIFETIME_MS);
    await flush();
  }
  const { known } = await store.readChanges(session, [change.changeId]);
  const key = hashText(JSON.stringify([TENANT, 'nurse', 'phone', change.changeId]));
  return {
    status: known[0]?.status,
    message: known[0]?.error?.message ?? '',
    times: source.journal.filter((one) => one === key).length,
    trail,
  };
}

/** Everything is in memory: one turn of the event loop does all that needs no time to pass. */
function flush(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What is wrong with an ending; null: nothing. */
export function faultOf({ status, message, times, trail }: Ending): string | null {
  const told = `${status}, ${times} times: ${trail.join('; ')} (${message})`;
  if (times > 1) return `applied twice: ${told}`;
  switch (status) {
    case 'APPLIED':
    case 'MERGED':
      return times === 1 ? null : `told as applied and lost: ${told}`;
    case 'REJECTED':
      return times === 0 ? null : `told as refused and applied: ${told}`;
    case 'CONFLICT':
      // Undecided ones name both values (F4); others certainly had no effect.
      return times === 0 || message.includes('the source has') ? null : `a conflict that hides an effect: ${told}`;
    case 'PARKED':
      return message.includes('was sent at') || message.includes('held another version')
        ? null
        : `parked without a reason: ${told}`;
    default:
      return `neither settled nor parked: ${told}`;
  }
}

const FACTS: SourceFacts = {
  changes: 'list',
  pollEveryMs: 1_000,
  scanEveryMs: 60_000,
  deletions: 'scan',
  readOne: true,
  scanPaging: 'whole',
  createKey: 'device',
  updateGuard: 'none',
  deleteGuard: 'none',
  maxRequestLifetimeMs: LIFETIME_MS,
  callTimeoutMs: 5_000,
  concurrency: 4,
};

async function observe(store: MemoryStore, source: DoubtfulSource, id: string): Promise<void> {
  const { collection } = source;
  const fields = { note: id === 'canary' ? 'alive' : 'as planned', status: 'OPEN', route: '7', number: 1 };
  source.rows.set(id, { fields, version: 1, madeBy: null });
  const seen = await source.readOne(id as SourceKey, AbortSignal.abort());
  if (seen === 'absent') throw new Error('expected it to be there');
  const body = renderBody(collection, fields);
  await store.commit(TENANT, [
    {
      collection: collection.name,
      id: idOfSourceKey(id as SourceKey),
      expected: { seq: 0 as never, mark: 0 },
      next: {
        sourceKey: id as SourceKey,
        deleted: false,
        body,
        sourceVersion: seen.sourceVersion,
        hash: hashText(body),
        vis: null,
        pending: false,
        scopes: collection.scopesOf(fields),
        throughUs: false,
      },
      stamps: [{ fields: [EVERY_FIELD], writer: SOURCE_WRITER, at: null }],
    },
  ]);
}

/** A clock that goes from one timer to the next. */
function createSteppedClock() {
  const clock = createManualClock();
  const timers: number[] = [];
  const stepped: Clock & Pick<typeof clock, 'advance'> = {
    ...clock,
    wait(ms, signal) {
      timers.push(clock.monotonicMs() + ms);
      return clock.wait(ms, signal);
    },
  };
  return {
    clock: stepped,
    next(): boolean {
      const now = clock.monotonicMs();
      const due = timers.filter((atMs) => atMs > now);
      timers.splice(0, timers.length, ...due);
      if (due.length === 0) return false;
      clock.advance(Math.min(...due) - now);
      return true;
    },
  };
}
