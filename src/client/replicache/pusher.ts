import type { Pusher } from 'replicache';
import type { Fields } from '../../core/change.js';
import type { ChangeError, ErrorCode } from '../../core/errors.js';
import type { ClientClock } from '../client-clock.js';
import { requestReaction } from '../error-reactions.js';
import { deviceOf, type ClientGroup } from './client-group.js';
import { changeIdOf } from './fate-book.js';
import { refusal } from './faults.js';
import { GatewayFault, type Gateway, type SentChange } from '../gateway.js';
import { editOf, recordKey, type Edit } from './mutators.js';

export interface PusherParts {
  readonly gateway: Gateway;
  readonly clock: ClientClock;
  readonly groupOf: (id: string) => ClientGroup;
  /** Mutations that were made in this process and not handed to the network yet: of these alone it is certain that nobody has seen them. */
  readonly unsent: Set<string>;
  /** Something is settled, or the device is another one: only a pull tells Replicache. */
  readonly pullSoon: () => void;
}

/** Bounds of one push, well within the gateway's own. One change that is longer goes alone. */
const MOST_CHANGES = 500;
const MOST_CHARACTERS = 1_000_000;

interface Entry {
  readonly changeId: string;
  readonly name: string;
  /** Null: the mutation is none of ours. */
  readonly edit: Edit | null;
}

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
      const isTaken = await pushAll(parts, group, entries);
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

/** @returns false: some have to be sent again */
async function pushAll(parts: PusherParts, group: ClientGroup, entries: readonly Entry[]): Promise<boolean> {
  /** Records of which an edit was not taken: later ones must not pass it (R8). */
  const held = new Set<string>();
  let most = MOST_CHANGES;
  let rest: readonly Entry[] = entries.filter(({ changeId }) => !group.fates.isFinal(changeId));
  while (rest.length > 0) {
    const { batch, behind } = await nextBatch(parts, group, rest, held, most);
    for (const { changeId } of batch) parts.unsent.delete(changeId);
    const fates = batch.length === 0 ? [] : await send(parts, group, batch);
    if (fates === null) {
      // Too much at once: less, down to the one that is too much alone, which then waits and holds up its own record only.
      most = Math.max(1, Math.floor(batch.length / 2));
      if (batch.length === 1) for (const { collection, id } of batch) held.add(recordKey(collection, id));
      rest = rest.filter(({ changeId }) => !group.fates.isFinal(changeId));
      continue;
    }
    rest = behind;
    most = Math.min(MOST_CHANGES, most * 2);
    for (const [at, fate] of fates.entries()) {
      const sent = batch[at];
      if (sent !== undefined && !(await group.fates.hear(fate, false))) held.add(recordKey(sent.collection, sent.id));
    }
  }
  return held.size === 0;
}

/** @returns null: the gateway cannot take so much at once */
async function send({ gateway, clock }: PusherParts, group: ClientGroup, batch: readonly SentChange[]) {
  try {
    return await gateway.push(deviceOf(group, group.generation), batch, new Date(clock.nowMs()).toISOString());
  } catch (thrown) {
    if (thrown instanceof GatewayFault && requestReaction(thrown.code) === 'less') return null;
    throw thrown;
  }
}

/** The next changes to send, in the order in which they were made. */
async function nextBatch(
  { unsent }: PusherParts,
  group: ClientGroup,
  entries: readonly Entry[],
  held: ReadonlySet<string>,
  most: number,
): Promise<{ readonly batch: readonly SentChange[]; readonly behind: readonly Entry[] }> {
  const batch: SentChange[] = [];
  let characters = 0;
  for (const [at, { changeId, name, edit }] of entries.entries()) {
    const isUnsent = unsent.has(changeId);
    if (edit === null) {
      const message = `${name}: expected a mutator of a collection, like visits.update`;
      await group.fates.giveUp(changeId, 'REJECTED', ownError('VALIDATION', message));
    } else if (edit.origin.generation !== group.generation && !isUnsent) {
      const message = 'it may have been sent under a device id that is no more: nobody could tell a repeat';
      await group.fates.giveUp(changeId, 'UNANSWERED', ownError('DEVICE_EVICTED', message));
    } else if (!held.has(recordKey(edit.collection, edit.id))) {
      const change = sentChange(changeId, edit, isUnsent);
      characters += JSON.stringify(change).length;
      const isFull = batch.length >= most || characters > MOST_CHARACTERS;
      if (batch.length > 0 && isFull) return { batch, behind: entries.slice(at) };
      batch.push(change);
    }
  }
  return { batch, behind: [] };
}

function sentChange(changeId: string, edit: Edit, isUnsent: boolean): SentChange {
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
    ...(isUnsent || origin.epoch === null ? {} : { sentEpoch: origin.epoch }),
  };
}

/** What this client says itself, in the words of the gateway's catalogue. */
function ownError(code: ErrorCode, message: string): ChangeError {
  return { code, message, field: null, retryable: false };
}
