import { writeSync } from 'node:fs';
import type { LeasedIntent } from '../../src/core/outbox-port.js';
import type { RecordWrite } from '../../src/core/record-port.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import type { Store } from '../../src/core/store-port.js';
import type { Armed, PointName } from './crash-points.js';

/** Puts crash points around the parts of a gateway: what `startGateway` takes as `decorate`. */
export interface ArmedParts {
  store(store: Store): Store;
  source(source: SourceCollection): SourceCollection;
}

/** A commit or a lease that has begun is ended this long after: somewhere on its way. */
const MIDDLE_MS = 1;

/**
 * The process says so and ends with SIGKILL, as `kill -9` does it: nothing is finished, nothing told. Or it is held with SIGSTOP. At the armed point of
 * the round's changes only, except where it is about calls of earlier processes.
 */
export function armParts(armed: Armed): ArmedParts {
  const { point, capability, kind } = armed;
  /** Changes of the round by the number of their intent. */
  const numbers = new Set<number>();
  /** Calls of earlier processes that this one finds out about. */
  const doubtful = new Set<number>();
  let passed = 0;
  let isNoted = false;
  let isSettling = false;

  const isOurs = (changeId: string): boolean => changeId.startsWith(armed.changes);

  function pass(name: PointName): void {
    if (name !== point) return;
    passed += 1;
    if (passed === armed.pass) end();
  }

  function end(): void {
    writeSync(1, `crash: ${point}\n`);
    process.kill(process.pid, armed.isHeld === true ? 'SIGSTOP' : 'SIGKILL');
  }

  /** Ends in the middle of what has just begun. */
  function passDuring(name: PointName): void {
    if (name === point) setTimeout(() => pass(name), MIDDLE_MS);
  }

  function see(leased: readonly LeasedIntent[]): readonly LeasedIntent[] {
    for (const { intentNo, changeId } of leased) if (isOurs(changeId)) numbers.add(intentNo);
    return leased;
  }

  function armStore(store: Store): Store {
    return {
      ...store,
      async commit(tenant, writes, context) {
        const accepts = writes.some(({ acceptance }) => acceptance !== undefined && isOurs(acceptance.changeId));
        const settles = writes.some((write) => isSettled(write, (changeId) => isOurs(changeId)));
        const concludes = writes.some(({ settlement }) => doubtful.has(settlement?.intent?.intentNo ?? -1));
        if (accepts) pass('before accept');
        if (concludes) pass('before verdict');
        if (settles) {
          isSettling = true;
          passDuring('during settle');
        }
        const outcomes = await store.commit(tenant, writes, context);
        outcomes.forEach((outcome, at) => {
          const change = writes[at]?.acceptance?.changeId;
          if (change === undefined || !isOurs(change) || outcome.kind !== 'written') return;
          if (outcome.intentNo !== null) numbers.add(outcome.intentNo);
        });
        if (accepts) pass('after accept');
        if (concludes) pass('after verdict');
        if (settles) {
          pass('after settle');
          pass('in a batch');
        }
        return outcomes;
      },
      async noteSent(tenant, notes) {
        const isAboutOurs = notes.some(({ intentNo }) => numbers.has(intentNo));
        if (isAboutOurs) pass('before note');
        const outcomes = await store.noteSent(tenant, notes);
        if (isAboutOurs) {
          isNoted = true;
          pass('after note');
        }
        return outcomes;
      },
      async releaseIntent(intent, retryInMs, waitsFor) {
        const concludes = doubtful.has(intent.intentNo);
        if (numbers.has(intent.intentNo)) pass('before release');
        if (concludes) pass('before verdict');
        const isReleased = await store.releaseIntent(intent, retryInMs, waitsFor);
        if (numbers.has(intent.intentNo)) pass('after release');
        if (concludes) pass('after verdict');
        return isReleased;
      },
      async leaveInDoubt(intent, lookInMs) {
        if (numbers.has(intent.intentNo)) pass('before doubt');
        const isLeft = await store.leaveInDoubt(intent, lookInMs);
        if (numbers.has(intent.intentNo)) pass('after doubt');
        return isLeft;
      },
      async leaseIntents(request) {
        if (numbers.size > 0 && request.collections.includes(capability)) passDuring('during lease');
        const leased = see(await store.leaseIntents(request));
        if (leased.some(({ changeId }) => isOurs(changeId))) pass('after lease');
        return leased;
      },
      async leaseInDoubt(request) {
        const leased = see(await store.leaseInDoubt(request));
        const found = leased.filter(({ collection }) => collection === capability);
        for (const { intentNo } of found) doubtful.add(intentNo);
        if (found.length > 0) pass('after doubt lease');
        return leased;
      },
      onAdvance: (listener) =>
        store.onAdvance((advance) => {
          if (isSettling) pass('before announcement');
          listener(advance);
        }),
    };
  }

  function armSource(source: SourceCollection): SourceCollection {
    if (source.collection.name !== capability) return source;
    const afterRead = <T>(read: T): T => {
      if (doubtful.size > 0) pass('after read-back');
      return read;
    };
    return {
      ...source,
      readOne: async (key, signal) => afterRead(await source.readOne(key, signal)),
      ...lookUpOf(source, afterRead),
      async write(write, ...rest) {
        const isArmed = isNoted && write.kind === kind;
        if (isArmed) pass('before request');
        const outcome = await source.write(write, ...rest);
        if (isArmed) pass('after answer');
        return outcome;
      },
    };
  }

  return { store: armStore, source: armSource };
}

/** Only where the source has one: its absence is a fact. */
function lookUpOf(
  source: SourceCollection,
  afterRead: <T>(read: T) => T,
): Pick<SourceCollection, 'lookUp'> | Record<string, never> {
  if (source.lookUp === undefined) return {};
  return { lookUp: async (key, signal) => afterRead(await (source.lookUp?.(key, signal) ?? 'absent')) };
}

/** Does this write say what became of an accepted change of the round? */
function isSettled({ settlement }: RecordWrite, isOurs: (changeId: string) => boolean): boolean {
  return settlement !== undefined && settlement.intent !== null && isOurs(settlement.changeId);
}
