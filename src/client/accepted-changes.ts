import { GatewayFault, type SentChange } from './gateway.js';
import type { GlueGateway, ToldFate } from './glue-gateway.js';
import { heldBack } from './glue-push.js';
import { isRefused, nameOf } from './outbox-entry.js';
import { createTurns } from './turns.js';

/** A change that the gateway accepted, to the letter as it was sent: kept until its receipt (F5). */
export interface AcceptedChange {
  /** With the epoch in which it was accepted, or sent before. */
  readonly change: SentChange;
  /** Under which id it was sent: under another one it never goes out (F11). */
  readonly device: string;
  /** The epoch in which it was accepted last. */
  readonly epoch?: string | undefined;
  /** This device began again since: the gateway may know nothing of it any more, or have forgotten its receipt (F5, F10). It is to be sent again. */
  readonly isUnsure: boolean;
}

/** Where they are kept, in the order in which they were made. */
export interface AcceptedStore {
  read(): Promise<readonly AcceptedChange[]>;
  /** Durable when it resolves; the next call sees it. */
  write(accepted: readonly AcceptedChange[]): Promise<void>;
}

/** A gateway for libraries that take an edit for done once it is accepted. */
export interface KeepingGateway extends GlueGateway {
  /**
   * Sends again what the gateway may not know any more, the oldest first. A push does so before anything else goes out. What is refused now is told.
   *
   * @returns how many have an answer now, and what the gateway said of those that it cannot take yet; null: there are none
   * @throws GatewayFault what is left waits for the next call
   */
  repeat(): Promise<{ readonly answered: number; readonly waiting: GatewayFault | null }>;
  /** What these receipts are of, by change id. */
  acceptedOf(receipts: readonly ToldFate[]): Promise<ReadonlyMap<string, SentChange>>;
  /** These receipts were told. */
  settle(receipts: readonly ToldFate[]): Promise<void>;
  /** What was accepted under device ids that are no more: it has no receipt any more, and does not go out again (F11). */
  abandoned(): Promise<readonly SentChange[]>;
  /** It was told of these. */
  forget(abandoned: readonly SentChange[]): Promise<void>;
}

/** Changes of one repeat. */
const AT_ONCE = 200;

/** @param tellRefused a change that was accepted once is refused; told at least once */
export function keepAccepted(
  gateway: GlueGateway,
  store: AcceptedStore,
  tellRefused: (change: SentChange, fate: ToldFate) => void,
): KeepingGateway {
  const [inTurn, repeatInTurn] = [createTurns(), createTurns()];
  /** Counts initial syncs: an answer to a push from before one says nothing of the receipt that is to come (F10). */
  let begun = 0;

  function update(decide: (accepted: readonly AcceptedChange[]) => readonly AcceptedChange[]): Promise<void> {
    return inTurn(async () => {
      const accepted = await store.read();
      const after = decide(accepted);
      if (after !== accepted) await store.write(after);
    });
  }

  /** What is to be sent again, the oldest first. */
  async function unsureChanges(asDevice: string): Promise<readonly SentChange[]> {
    const accepted = await store.read();
    return accepted.filter(({ isUnsure, device }) => isUnsure && device === asDevice).map(({ change }) => change);
  }

  async function drop(named: readonly { readonly changeId: string }[]): Promise<void> {
    const over = new Set(named.map(({ changeId }) => changeId));
    if (over.size > 0)
      await update((accepted) => {
        const left = accepted.filter(({ change }) => !over.has(change.changeId));
        return left.length === accepted.length ? accepted : left;
      });
  }

  async function send(
    changes: readonly SentChange[],
    device: string,
    { tell = () => undefined, epoch }: { readonly tell?: typeof tellRefused; readonly epoch?: string | undefined } = {},
  ): Promise<readonly ToldFate[]> {
    const before = begun;
    const fates = await gateway.push(changes, device, epoch);
    const byId = new Map(fates.map((fate) => [fate.changeId, fate]));
    for (const change of changes) {
      const fate = byId.get(change.changeId);
      // What shall be gone is gone.
      const isNothing = change.kind === 'DELETE' && fate?.error?.code === 'NOT_FOUND';
      if (fate !== undefined && isRefused(fate) && !isLater(fate) && !isNothing) tell(change, fate);
    }
    await update((accepted) => answered(accepted, changes, byId, { device, isUnsure: begun !== before }));
    return fates;
  }

  async function repeat() {
    const device = gateway.device();
    const unsure = await unsureChanges(device);
    /** Of these records nothing goes out behind what was not taken (R8). */
    const held = new Set<string>();
    let count = 0;
    let waiting: GatewayFault | null = null;
    for (let at = 0; at < unsure.length; at += AT_ONCE) {
      const free = unsure.slice(at, at + AT_ONCE).filter((change) => !held.has(nameOf(change)));
      const fates = new Map((await send(free, device, { tell: tellRefused })).map((fate) => [fate.changeId, fate]));
      for (const change of free) {
        const fate = fates.get(change.changeId);
        if (fate !== undefined && !isLater(fate)) {
          count += 1;
          continue;
        }
        held.add(nameOf(change));
        const { code, message } = fate?.error ?? BEHIND;
        waiting = new GatewayFault(code, message);
      }
    }
    return { answered: count, waiting };
  }

  /** The gateway may know nothing of them any more. */
  async function doubtAll(): Promise<void> {
    begun += 1;
    await update((accepted) =>
      accepted.every(({ isUnsure }) => isUnsure) ? accepted : accepted.map((one) => ({ ...one, isUnsure: true })),
    );
  }

  /** What is unsure goes out first, and nothing of its record behind it until it was taken again. */
  async function pushBehind(changes: readonly SentChange[], device: string): Promise<readonly ToldFate[]> {
    await repeatInTurn(repeat);
    const accepted = (await store.read()).filter((one) => one.device === device);
    const unsure = new Set(accepted.filter(({ isUnsure }) => isUnsure).map(({ change }) => nameOf(change)));
    const epoch = accepted.filter(({ isUnsure }) => !isUnsure).at(-1)?.epoch;
    const fates = await send(
      changes.filter((change) => !unsure.has(nameOf(change))),
      device,
      { epoch },
    );
    const byId = new Map(fates.map((fate) => [fate.changeId, fate]));
    return changes.map(({ changeId }) => byId.get(changeId) ?? heldBack(changeId, BEHIND));
  }

  return {
    ...gateway,
    repeat: () => repeatInTurn(repeat),
    async pull(since) {
      const page = await gateway.pull(since);
      if (page.reset || since === null) {
        await doubtAll();
      }
      return page;
    },
    async push(changes, chosenFor = gateway.device()) {
      if (changes.length === 0) return [];
      try {
        return await pushBehind(changes, chosenFor);
      } catch (thrown) {
        if (!(thrown instanceof GatewayFault) || thrown.code !== 'NEW_EPOCH') throw thrown;
        // Nothing was taken. What the gateway had accepted before it was restored goes out first: these may be made on top of it.
        await doubtAll();
        return pushBehind(changes, chosenFor);
      }
    },
    async acceptedOf(receipts) {
      if (receipts.length === 0) return new Map();
      const ids = new Set(receipts.map(({ changeId }) => changeId));
      const accepted = (await store.read()).filter(({ change }) => ids.has(change.changeId));
      return new Map(accepted.map(({ change }) => [change.changeId, change]));
    },
    settle: (receipts) => drop(receipts.filter((receipt) => !isOpen(receipt))),
    async abandoned() {
      const accepted = await store.read();
      return accepted.filter(({ device }) => device !== gateway.device()).map(({ change }) => change);
    },
    forget: drop,
  };
}

/** A receipt follows. */
export function isOpen({ status }: Pick<ToldFate, 'status'>): boolean {
  return status === 'ACCEPTED' || status === 'PARKED';
}

/** What a change is told that was not sent. */
const BEHIND = new GatewayFault(
  'RECORD_BLOCKED',
  'expected what was accepted of this record before to be taken again first',
);

/** It was not taken, and can be later; or it was not sent. */
function isLater(fate: ToldFate): boolean {
  return fate.isHeldBack === true || (isRefused(fate) && fate.error?.retryable === true);
}

function answered(
  accepted: readonly AcceptedChange[],
  changes: readonly SentChange[],
  fates: ReadonlyMap<string, ToldFate>,
  now: Pick<AcceptedChange, 'device' | 'isUnsure'>,
): readonly AcceptedChange[] {
  const known = new Set(accepted.map(({ change }) => change.changeId));
  const after = accepted.flatMap((one) => {
    const fate = fates.get(one.change.changeId);
    if (fate === undefined || isLater(fate)) return [one];
    return isOpen(fate) ? [{ ...one, epoch: fate.epoch, isUnsure: now.isUnsure }] : [];
  });
  const added = changes.flatMap((change) => {
    const fate = fates.get(change.changeId);
    if (fate === undefined || !isOpen(fate) || known.has(change.changeId)) return [];
    // What was sent before the first page knew no epoch: the answer says in which it was taken.
    const sentEpoch = change.sentEpoch ?? fate.epoch;
    return [{ change: { ...change, ...(sentEpoch === undefined ? {} : { sentEpoch }) }, epoch: fate.epoch, ...now }];
  });
  const isSame = added.length === 0 && changes.every(({ changeId }) => !known.has(changeId));
  return isSame ? accepted : [...after, ...added];
}
