import { isDeepStrictEqual } from 'node:util';
import type { ResetReason } from '../../src/core/checkpoint.js';
import type { Fields } from '../../src/core/change.js';
import type { ErrorCode } from '../../src/core/errors.js';
import type { SentChange } from '../../src/client/gateway.js';
import { refusal } from './scripted-gateway.js';

/** A push as it arrived. */
export interface ArrivedPush {
  readonly device: string;
  readonly changes: readonly SentChange[];
}

/** A ward's gateway for the glue of other libraries, as far as it is asked: it knows each change of a device once (R7). */
export interface GlueWard {
  readonly fetch: typeof fetch;
  readonly pushes: ArrivedPush[];
  /** Changes that took effect, in order. */
  readonly taken: SentChange[];
  /** Its rights were taken away, whatever id it has. */
  isRevoked: boolean;
  /** Requests that arrived. */
  asked: number;
  /** Device ids that are no more. */
  readonly evicted: Set<string>;
  /** Pushes arrive and nobody hears of it; or nothing arrives at all. */
  network: 'sound' | 'losesAnswers' | 'gone';
  /** What it takes is ACCEPTED, and no receipt follows. */
  accepts: boolean;
  /** What a change is answered with instead of being taken. */
  refuse: (change: SentChange, device: string) => ErrorCode | null;
  /** The back office writes. */
  write(id: string, fields: Fields): void;
}

const FIELDS = [
  { name: 'note', type: 'string', list: false, writable: true },
  { name: 'minutes', type: 'int', list: false, writable: true },
];

/** @param ids of the visits that are there */
export function openGlueWard(ids: readonly string[]): GlueWard {
  const visits = new Map<string, { readonly seq: number; readonly fields: Fields | null }>();
  const answers = new Map<string, object>();
  let seq = 0;

  function write(id: string, fields: Fields | null): void {
    const before = visits.get(id)?.fields ?? null;
    const after = fields === null ? null : { ...before, ...fields };
    if (!isDeepStrictEqual(before, after)) visits.set(id, { seq: (seq += 1), fields: after });
  }

  function stateOf(id: string) {
    const { seq: at, fields } = visits.get(id) ?? { seq: 0, fields: null };
    const kind = fields === null ? 'DELETE' : 'UPSERT';
    return { collection: 'visits', id, version: `e.${at}`, kind, pending: false, json: fields };
  }

  function settle(device: string, change: SentChange): object {
    const { changeId, id, kind, json = {} } = change;
    const code = ward.refuse(change, device);
    if (code !== null) return { ...refusal(changeId, code), change: visits.has(id) ? stateOf(id) : null };
    const key = JSON.stringify([device, changeId]);
    const known = answers.get(key);
    if (known !== undefined) return known;
    ward.taken.push(change);
    write(id, kind === 'DELETE' ? null : json);
    const answer = { changeId, status: ward.accepts ? 'ACCEPTED' : 'APPLIED', error: null, change: stateOf(id) };
    answers.set(key, answer);
    return answer;
  }

  function pull(user: string, device: string, since: string | null) {
    const isTold = since === null || since.endsWith('told');
    const isOther = since !== null && !since.includes(`of ${user}`);
    const isEvicted = ward.evicted.has(device) && !isTold;
    const reason: ResetReason | null = isOther ? 'OTHER_USER' : isEvicted ? 'DEVICE_EVICTED' : null;
    const from = reason === null ? Number.parseInt(since ?? '0', 10) : 0;
    const changes = [...visits].filter(([, one]) => one.seq > from && (from > 0 || one.fields !== null));
    return {
      changes: changes.map(([id]) => stateOf(id)),
      receipts: [],
      checkpoint: `${seq} of ${user}${reason !== null || since?.endsWith('told') ? ' told' : ''}`,
      hasMore: false,
      reset: reason !== null,
      resetReason: reason,
      epoch: 'e',
    };
  }

  const ward: GlueWard = {
    pushes: [],
    taken: [],
    isRevoked: false,
    asked: 0,
    evicted: new Set(),
    network: 'sound',
    accepts: false,
    refuse: () => null,
    write,
    async fetch(_url, init) {
      if (ward.network === 'gone') throw new Error('no network');
      ward.asked += 1;
      if (ward.isRevoked)
        return Response.json(
          { errors: [{ message: 'revoked', extensions: { code: 'DEVICE_REVOKED' } }] },
          { status: 403 },
        );
      const given = new Headers(init?.headers);
      const [device, user] = [given.get('tidegate-device') ?? '', given.get('authorization') ?? ''];
      const { query, variables } = JSON.parse(init?.body as string) as {
        readonly query: string;
        readonly variables: { readonly since?: string | null; readonly changes?: readonly SentChange[] };
      };
      if (query.includes('query Fields'))
        return Response.json({
          data: {
            collections: [
              { name: 'visits', fields: FIELDS },
              { name: 'patients', fields: [] },
            ],
          },
        });
      const { since = null, changes } = variables;
      if (changes === undefined) return Response.json({ data: { pull: pull(user, device, since) } });
      ward.pushes.push({ device, changes });
      if (ward.evicted.has(device))
        return Response.json({ errors: [{ message: 'silent for too long', extensions: { code: 'DEVICE_EVICTED' } }] });
      const results = changes.map((change) => settle(device, change));
      if (ward.network === 'losesAnswers') throw new Error('the reply is lost');
      return Response.json({ data: { push: { results } } });
    },
  };
  for (const id of ids) write(id, { note: 'as planned' });
  return ward;
}
