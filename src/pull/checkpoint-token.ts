import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { Epoch, Seq } from '../core/change.js';
import type { CheckpointState, ResetReason } from '../core/checkpoint.js';
import { SyncError } from '../core/errors.js';
import type { FeedReader, SigningKey } from '../core/feed-port.js';
import { EMPTY_SCOPE_SET, scopeSetText, type ScopeSet } from '../core/scope.js';
import type { SigningKeys } from './signing-keys.js';

/** Version of the token's form: an unknown one resets, so that it can change. */
const FORM = 1;
/** Longest token that is looked at, characters: ours have about 250, at most 2,000. */
const MAX_TOKEN_LENGTH = 4_096;
/** Characters of the name of a scope set or an owner: 120 bits of a SHA-256. */
const NAME_LENGTH = 20;
const TOKEN = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})$/;

/** The signed part: short keys, every field under the MAC (rule R3). */
interface Payload {
  readonly v: number;
  readonly k: string;
  /** Hash of tenant and user: a token is short however long their names are, and names nobody. */
  readonly w: string;
  readonly l: string;
  readonly e: string;
  readonly s: number;
  readonly h?: number;
  readonly c: string;
  readonly f?: readonly [set: string, at: number];
  /** 1: begun for a device that was evicted. */
  readonly x?: 1;
  readonly d?: readonly [set: string, recordNo: number | null, scope: string | null];
}

/** What a token turned out to be. `unusable`: validly ours once, or of another version; the pull starts over (F24). */
export type ReadCheckpoint =
  | { readonly kind: 'usable'; readonly state: CheckpointState }
  /** `place`: where it stood, if it was signed for this session. */
  | { readonly kind: 'unusable'; readonly reason: ResetReason; readonly place: CheckpointPlace | null };

export type CheckpointPlace = Pick<CheckpointState, 'epoch' | 'seq'>;

/** Writes and reads checkpoint tokens. The server keeps no state of a device; scope sets are kept by name. */
export interface CheckpointTokens {
  /** The token of a state; its scope sets are saved before it leaves. */
  write(state: CheckpointState): Promise<string>;
  /**
   * @param who the asking session: another lineage of the same user is CHECKPOINT_COLLECTIONS
   * @throws SyncError BAD_CHECKPOINT - malformed, or forged under a known key
   */
  read(token: string, who: Asker): Promise<ReadCheckpoint>;
  /** Was a token that `read` took signed with the key that signs now? */
  isOfNewestKey(token: string): boolean;
  /** The name of a set: equal for equal sets. */
  nameOf(set: ScopeSet): string;
}

/** Whose checkpoint it must be. */
export type Asker = Pick<CheckpointState, 'tenant' | 'user' | 'lineage'>;

export function checkpointTokens(store: FeedReader, keys: Omit<SigningKeys, 'refresh'>): CheckpointTokens {
  const names = new WeakMap<ScopeSet, string>();

  function nameOf(set: ScopeSet): string {
    let name = names.get(set);
    if (name === undefined) {
      name = hash('sha256', scopeSetText(set), 'base64url').slice(0, NAME_LENGTH);
      names.set(set, name);
    }
    return name;
  }

  async function setNamed(tenant: string, name: string | undefined): Promise<ScopeSet | null> {
    return name === undefined || name === '' ? EMPTY_SCOPE_SET : store.readScopeSet(tenant, name);
  }

  async function resolve(who: Asker, payload: Payload): Promise<CheckpointState | null> {
    const wanted = [payload.c, payload.f?.[0], payload.d?.[0]];
    const sets = await Promise.all(wanted.map((name) => setNamed(who.tenant, name)));
    const [cover, filling, draining] = sets;
    if (!cover || !filling || !draining) return null;
    const { f, d } = payload;
    return {
      tenant: who.tenant,
      user: who.user,
      lineage: payload.l,
      epoch: payload.e as Epoch,
      seq: payload.s as Seq,
      head: payload.h === undefined ? null : (payload.h as Seq),
      cover,
      fill: f === undefined ? null : { set: filling, at: f[1] as Seq },
      drain:
        d === undefined
          ? null
          : { set: draining, after: d[1] === null || d[2] === null ? null : { recordNo: d[1], scope: d[2] } },
      isOfEvicted: payload.x === 1,
    };
  }

  return {
    nameOf,

    isOfNewestKey: (token) => parse(token).payload.k === keys.newest().kid,

    async write(state) {
      const sets = [state.cover, state.fill?.set, state.drain?.set].filter(
        (set) => set !== undefined && set.length > 0,
      );
      await store.saveScopeSets(state.tenant, new Map((sets as ScopeSet[]).map((set) => [nameOf(set), set])));
      const newest = keys.newest();
      const payload: Payload = {
        v: FORM,
        k: newest.kid,
        w: nameOfOwner(state),
        l: state.lineage,
        e: state.epoch,
        s: state.seq,
        ...(state.head === null ? {} : { h: state.head }),
        c: state.cover.length === 0 ? '' : nameOf(state.cover),
        ...(state.isOfEvicted ? { x: 1 as const } : {}),
        ...(state.fill === null ? {} : { f: [nameOf(state.fill.set), state.fill.at] as const }),
        ...(state.drain === null
          ? {}
          : {
              d: [
                nameOf(state.drain.set),
                state.drain.after?.recordNo ?? null,
                state.drain.after?.scope ?? null,
              ] as const,
            }),
      };
      const body = Buffer.from(JSON.stringify(payload)).toString('base64url');
      return `${body}.${mac(newest, body)}`;
    },

    async read(token, who) {
      const { body, signature, payload } = parse(token);
      if (payload.v !== FORM) return { kind: 'unusable', reason: 'EXPIRED', place: null };
      const key = await keys.find(payload.k);
      if (key === null) return { kind: 'unusable', reason: 'EXPIRED', place: null };
      const expected = Buffer.from(mac(key, body));
      if (!timingSafeEqual(expected, Buffer.from(signature))) {
        throw new SyncError('BAD_CHECKPOINT', 'expected a checkpoint as pull gave it, got one that was changed', {
          field: 'since',
        });
      }
      if (payload.w !== nameOfOwner(who)) return { kind: 'unusable', reason: 'OTHER_USER', place: null };
      if (payload.l !== who.lineage) {
        throw new SyncError(
          'CHECKPOINT_COLLECTIONS',
          'expected the collections list that this checkpoint was begun with, got another one',
          { field: 'collections' },
        );
      }
      const state = await resolve(who, payload);
      return state === null
        ? {
            kind: 'unusable',
            reason: 'EXPIRED',
            place: { epoch: payload.e as Epoch, seq: payload.s as Seq },
          }
        : { kind: 'usable', state };
    },
  };
}

function parse(token: string): { readonly body: string; readonly signature: string; readonly payload: Payload } {
  const match = token.length > MAX_TOKEN_LENGTH ? null : TOKEN.exec(token);
  const [, body, signature] = match ?? [];
  if (body === undefined || signature === undefined) throw malformed(token);
  try {
    const payload: unknown = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
    if (typeof payload !== 'object' || payload === null || !('v' in payload) || !('k' in payload))
      throw malformed(token);
    return { body, signature, payload: payload as Payload };
  } catch (cause) {
    throw cause instanceof SyncError ? cause : malformed(token, cause);
  }
}

function malformed(token: string, cause?: unknown): SyncError {
  return new SyncError(
    'BAD_CHECKPOINT',
    `expected a checkpoint as pull gave it, got a text of ${token.length} characters that is none`,
    { cause, field: 'since' },
  );
}

function nameOfOwner({ tenant, user }: Pick<Asker, 'tenant' | 'user'>): string {
  return hash('sha256', JSON.stringify([tenant, user]), 'base64url').slice(0, NAME_LENGTH);
}

function mac(key: SigningKey, body: string): string {
  return createHmac('sha256', key.secret).update(body).digest('base64url');
}
