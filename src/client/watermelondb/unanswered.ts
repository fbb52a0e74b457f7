import { isSame } from '../overlay.js';
import type { EarlierSent, Said, SentNote } from './notes.js';

/** A row's edit, by what of it may be sent. */
export interface Parted {
  /** What may be sent; null: nothing. */
  readonly rest: Said | null;
  /** What was sent of it under a device id that is no more, without an answer; undefined: nothing. */
  readonly unanswered: Said | undefined;
  /** What was sent of it under this device id, without an answer; undefined: nothing. */
  readonly earlier: EarlierSent | undefined;
  /** The user is to be told of this change id; null: of none. */
  readonly news: string | null;
}

/**
 * Parts an edit by what its row's note knows (F11): what was sent under another device id, without an answer, is not sent again, since
 * nobody could tell that it is a repeat; what was edited besides goes on.
 *
 * @param device under which it would be sent now
 */
export function partUnanswered(said: Said, note: SentNote | undefined, device: string): Parted {
  const sent = note === undefined ? undefined : sentOf(note);
  const isLeft = sent !== undefined && sent.device !== device;
  const unanswered = isLeft ? together(note?.unanswered, sent.said) : note?.unanswered;
  const earlier = isLeft ? undefined : sent;
  // A row keeps the version that its edits were made from until they are synced: with another one the note is none of this edit.
  if (unanswered === undefined || unanswered.baseVersion !== said.baseVersion)
    return { rest: said, unanswered: undefined, earlier, news: null };
  const rest = neverSent(said, unanswered);
  // What was edited on top of a create since the user was told, goes with it.
  if (rest === null && !isSame(said, unanswered))
    return { rest, unanswered: said, earlier, news: note?.changeId ?? null };
  return { rest, unanswered, earlier, news: isLeft ? sent.changeId : null };
}

/** Everything that was sent under the device id of the note, under whatever change ids; undefined: nothing. */
function sentOf({ changeId, body, device, earlier }: SentNote): EarlierSent | undefined {
  if (device === undefined) return earlier;
  return { changeId, device, said: together(earlier?.said, JSON.parse(body) as Said) };
}

function together(earlier: Said | undefined, later: Said): Said {
  return later.kind === 'DELETE' ? later : { ...later, json: { ...earlier?.json, ...later.json } };
}

function neverSent(said: Said, sent: Said): Said | null {
  if (said.kind === 'DELETE') return sent.kind === 'DELETE' ? null : said;
  // Without the create, which may not be there, the fields that were edited on top of it would make half a record.
  if (sent.baseVersion === null) return null;
  const fields = Object.entries(said.json ?? {}).filter(
    ([name, value]) => !Object.hasOwn(sent.json ?? {}, name) || !isSame(value, sent.json?.[name]),
  );
  return fields.length === 0 ? null : { ...said, json: Object.fromEntries(fields) };
}
