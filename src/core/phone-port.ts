import type { Epoch, Seq } from './change.js';
import type { Platform, SeenScopes } from './device-port.js';
import type { CommitContext } from './record-port.js';
import type { DeviceKey } from './session.js';

/** What sleeping phones are owed: marks, what is taken for sending, and what came of it (R18, F27). */
export interface PhoneStore {
  /**
   * Notes that registered devices were here, others are passed over: what they see from now on, up to where they hold everything, what they
   * were told. What waited for one and is covered by that waits no more. Safe to repeat.
   *
   * @returns of each that pulled for the first time after a hint, how long that took
   */
  noteContacts(tenant: string, contacts: readonly PhoneContact[]): Promise<readonly Answered[]>;
  /**
   * Marks due whose scopes have rows behind the tenant's hint cursor that are not their own unaltered changes, or for whom receipts wait
   * there, and moves the cursor: one transaction under the fence. What is due stays due. In a new epoch everybody is.
   *
   * @param options.upTo what is behind it is left for the next time
   * @returns how many were marked; null: the fence is lost
   */
  markDue(
    tenant: string,
    fence: Fence,
    options: { readonly collections: readonly string[]; readonly upTo: Seq },
  ): Promise<number | null>;
  /**
   * Takes phones that are due and may be hinted for sending: durably, so that neither a crash nor another node hints one of them again
   * within its window. What is awake is put off until it may be asleep.
   *
   * @returns `taken`, and whether there may be more
   */
  takeDue(
    tenant: string,
    options: { readonly windows: HintWindows; readonly limit: number },
  ): Promise<{ readonly taken: readonly TakenHint[]; readonly hasMore: boolean }>;
  /** What came of hints that were taken. One that was taken again since, or registered anew, is left as it is. Safe to repeat. */
  settleHints(tenant: string, settlements: readonly HintSettlement[]): Promise<void>;
  /**
   * Finds whose hints were not followed by a pull for too long, each once until it pulls.
   *
   * @param options.hasNotice makes them due, for a notice that people see
   */
  findSilent(
    tenant: string,
    options: { readonly escalateAfterMs: number; readonly staleAfterMs: number; readonly hasNotice: boolean },
  ): Promise<{ readonly escalated: number; readonly stale: number }>;
  countPhones(tenant: string): Promise<PhoneCounts>;
  /** Sockets of these devices are open at this gateway, each for so long. Devices that are not registered are passed over. @returns the others */
  noteAwake(
    tenant: string,
    node: string,
    sockets: readonly { readonly device: DeviceKey; readonly forMs: number }[],
  ): Promise<readonly DeviceKey[]>;
  /** No socket of these devices is open at this gateway: it puts off no hint of theirs any more. Safe to repeat. */
  noteAsleep(tenant: string, node: string, devices: readonly DeviceKey[]): Promise<void>;
}

export type Fence = NonNullable<CommitContext['fence']>;

/** A device was here. */
export interface PhoneContact {
  readonly device: DeviceKey;
  readonly agoMs: number;
  readonly seen: SeenScopes;
  /** What a pull to the end brought it; null: it did not pull to the end. */
  readonly pulled: Reached | null;
  /** Ids of changes whose fate the answer to a push told. */
  readonly told: readonly string[];
}

/** Everything up to `seq` of these collections; null: of all. */
export interface Reached {
  readonly epoch: Epoch;
  readonly seq: Seq;
  readonly collections: readonly string[] | null;
}

export interface Answered {
  readonly platform: Platform;
  readonly afterMs: number;
}

/** At most one hint to a phone in this time, by platform; `staleMs` for those that do not react. */
export type HintWindows = Readonly<Record<Platform, number>> & { readonly staleMs: number };

/** A hint on its way. */
export interface TakenHint {
  readonly device: DeviceKey;
  readonly platform: Platform;
  readonly token: string;
  readonly collections: readonly string[];
  /** When it became due, ms since 1970. */
  readonly dueAtMs: number;
  readonly dueSeq: Seq;
  /** Names this taking. */
  readonly claim: number;
  /** By the clock of the store, ms since 1970. */
  readonly takenAtMs: number;
  /** People are to see this one. */
  readonly isNotice: boolean;
}

export type HintSettlement = Pick<TakenHint, 'device' | 'claim' | 'takenAtMs' | 'dueSeq' | 'isNotice'> &
  (
    | { readonly kind: 'sent' }
    /** Its token reaches nobody: the registration ends. */
    | { readonly kind: 'gone' }
    /** It was surely not sent: due again after this time. */
    | { readonly kind: 'unsent'; readonly afterMs: number }
    /** It may have been sent: due again at the end of its window, but not within this time. */
    | { readonly kind: 'unclear'; readonly afterMs: number }
  );

export interface PhoneCounts {
  readonly byPlatform: Readonly<Record<Platform, number>>;
  readonly due: number;
  /** Since when the oldest of them is, ms since 1970; null: none is. */
  readonly oldestDueAtMs: number | null;
  readonly stale: number;
}
