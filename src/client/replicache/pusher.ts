import type { Pusher, ReadonlyJSONValue } from 'replicache';
import type { Fields } from '../../core/change.js';
import type { ChangeError, ErrorCode } from '../../core/errors.js';
import type { ClientClock } from '../client-clock.js';
import { requestReaction } from '../error-reactions.js';
import { deviceOf, type ClientGroup } from './client-group.js';
import { changeIdOf } from './fate-book.js';
import { refusal } from './faults.js';
import { GatewayFault, type Gateway, type SentChange } from '../gateway.js';
import { editOf, ORIGIN_KEY, recordKey, type Edit, type Origin } from './mutators.js';
import { portionOf, type PushLimits } from '../portions.js';

export interface PusherParts {
  readonly gateway: Gateway;
  readonly clock: ClientClock;
  readonly groupOf: (id: string) => ClientGroup;
  /** Mutations that were made in this process and not handed to the network yet: of these alone it is certain that nobody has seen them. */
  readonly unsent: Set<string>;
  /** What is held under a key now; undefined: nothing, or nobody can tell. */
  readonly held: (key: string) => Promise<ReadonlyJSONValue | undefined>;
  /** Something is settled, or the device is another one: only a pull tells Replicache. */
  readonly pullSoon: () => void;
}

/** Bounds of one push, well within the gateway's own. One change that is longer goes alone. */
export const PUSH_LIMITS: PushLimits = { changes: 500, characters: 1_000_000 };

interface Entry {
  readonly changeId: string;
  readonly name: string;
  /** Null: the mutation is none of ours. */
  readonly edit: Edit | null;
}

type Sendable = Entry & { readonly edit: Edit };

/**
 * Push as Replicache wants it. All that is not done is sent each time; whatever the gateway knows it answers alike (R7). An edit is
 * done only when it is final, so that Replicache is what keeps it until then (R10, F5).
 */
export function createPusher(parts: PusherParts): Pusher {
  return async (request) => {
    if (request.pushVersion !== 1) return { response: { error: 'VersionNotSupported', versionType: 'push' }, ...OK };
    const group = parts.groupOf(request.clientGroupID);
    const mutations = request.mutations.map((one) => ({ ...one, edit: editOf(one.name, one.args) }));
    group.fates.pushing(mutations);
    const entries = mutations.map(({ clientID, id, name, edit }) => ({
      changeId: changeIdOf(clientID, id),
      name,
      edit,
    }));
    try {
      const isTaken = await pushAll(parts, group, await epochOf(parts, group), entries);
      parts.pullSoon();
      return isTaken
        ? OK
        : { httpRequestInfo: refusal(new GatewayFault('RECORD_BLOCKED', 'some edits wait for others')) };
    } catch (thrown) {
      const httpRequestInfo = refusal(thrown);
      // The device may be evicted or revoked: a pull hears it, and what follows from it.
      parts.pullSoon();
      return { httpRequestInfo };
    }
  };
}

const OK = { httpRequestInfo: { httpStatusCode: 200, errorMessage: '' } };

/**
 * The epoch of the last pull, by which the gateway tells whether this device knows of all its restores (F5).
 *
 * @throws GatewayFault NEW_EPOCH - there was none: the first pull goes first
 */
async function epochOf({ held }: PusherParts, group: ClientGroup): Promise<string> {
  group.epoch ??= ((await held(ORIGIN_KEY)) as Partial<Origin> | undefined)?.epoch ?? null;
  if (group.epoch === null) throw new GatewayFault('NEW_EPOCH', 'expected a first pull before the first push');
  return group.epoch;
}

/** @returns false: some have to be sent again */
async function pushAll(
  parts: PusherParts,
  group: ClientGroup,
  epoch: string,
  entries: readonly Entry[],
): Promise<boolean> {
  const { portions, fates } = group;
  /** Records of which an edit was not taken: later ones must not pass it (R8). */
  const held = new Set<string>();
  const tried = new Set<string>();
  for (;;) {
    const waiting = (await sendable(parts, group, entries)).filter(({ changeId }) => !tried.has(changeId));
    const batch = portions.next((limits, isLeft) =>
      portionOf(inOrder(waiting, held, isLeft), limits, (entry) => sentChange(parts, entry)),
    );
    // What is set aside waits, and holds up its own record only.
    if (batch.length === 0) return held.size === 0 && waiting.length === 0;
    const answers = await send(parts, group, epoch, batch);
    if (answers === null) continue;
    for (const [at, sent] of batch.entries()) {
      tried.add(sent.changeId);
      const fate = answers[at];
      if (fate !== undefined && !(await fates.hear(fate, false))) held.add(recordOf(sent));
    }
  }
}

/**
 * @returns null: the gateway cannot take so much at once
 * @throws GatewayFault NEW_EPOCH - nothing of it was taken: behind the pull that follows all is pushed again, in the order in which it was made
 */
async function send(parts: PusherParts, group: ClientGroup, epoch: string, batch: readonly Sendable[]) {
  const { gateway, clock, unsent } = parts;
  const changes = batch.map((entry) => sentChange(parts, entry));
  const changeIds = batch.map(({ changeId }) => changeId);
  const first = changeIds.filter((changeId) => unsent.delete(changeId));
  try {
    const answers = await gateway.push(
      deviceOf(group, group.generation),
      changes,
      new Date(clock.nowMs()).toISOString(),
      epoch,
    );
    group.portions.passed(changeIds);
    return answers;
  } catch (thrown) {
    if (!(thrown instanceof GatewayFault)) throw thrown;
    const reaction = requestReaction(thrown.code);
    // What would have been sent for the first time was not.
    if (reaction === 'pullFirst') for (const changeId of first) unsent.add(changeId);
    group.portions.failed(changeIds, thrown);
    if (reaction === 'less') return null;
    throw thrown;
  }
}

/** What is not final and can be sent; what cannot is given up, and its user told. */
async function sendable(
  { unsent }: PusherParts,
  { fates, generation }: ClientGroup,
  entries: readonly Entry[],
): Promise<readonly Sendable[]> {
  const found: Sendable[] = [];
  for (const { changeId, name, edit } of entries) {
    if (fates.isFinal(changeId)) continue;
    if (edit === null) {
      const message = `${name}: expected a mutator of a collection, like visits.update`;
      await fates.giveUp(changeId, 'REJECTED', ownError('VALIDATION', message));
    } else if (edit.origin.generation !== generation && !unsent.has(changeId)) {
      const message = 'it may have been sent under a device id that is no more: nobody could tell a repeat';
      await fates.giveUp(changeId, 'UNANSWERED', ownError('DEVICE_EVICTED', message));
    } else found.push({ changeId, name, edit });
  }
  return found;
}

/** In the order in which they were made: what is left out now keeps what was made later of its record behind it (R8). */
function* inOrder(
  entries: readonly Sendable[],
  held: ReadonlySet<string>,
  isLeft: (changeId: string) => boolean,
): Generator<Sendable, void> {
  const behind = new Set(held);
  for (const entry of entries) {
    if (isLeft(entry.changeId)) behind.add(recordOf(entry));
    else if (!behind.has(recordOf(entry))) yield entry;
  }
}

function recordOf({ edit }: Sendable): string {
  return recordKey(edit.collection, edit.id);
}

function sentChange({ unsent }: PusherParts, { changeId, edit }: Sendable): SentChange {
  const { collection, id, kind, base, fields, at, origin } = edit;
  return {
    changeId,
    collection,
    id,
    kind,
    baseVersion: base,
    changedAt: at,
    ...(fields === undefined ? {} : { json: fields as Fields }),
    // Of one that may be a repeat: in the epoch in which it was made it was sent first, or later (F5).
    ...(unsent.has(changeId) || origin.epoch === null ? {} : { sentEpoch: origin.epoch }),
  };
}

/** What this client says itself, in the words of the gateway's catalogue. */
function ownError(code: ErrorCode, message: string): ChangeError {
  return { code, message, field: null, retryable: false };
}
