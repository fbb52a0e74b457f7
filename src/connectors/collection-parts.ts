import type { ClockSkew } from './clock-skew.js';
import type { AnyCollectionDefinition } from './define.js';
import type { CallName } from './fault.js';
import type { Guard } from './guard.js';
import type { Mapping } from './mapping.js';
import type { OpenTransport, SourceDeps } from './transport.js';
import type { WriteBatcher } from './write-batcher.js';

/** The same for one of its calls, which the guard's log lines name. */
export function ofCall<Parts extends Pick<CollectionParts, 'where' | 'guard'>>(parts: Parts, call: CallName): Parts {
  return { ...parts, guard: parts.guard.of({ collection: parts.where, call }) };
}

/** What reads and writes of one collection share. */
export interface CollectionParts {
  /** For messages: `source.collection`. */
  readonly where: string;
  readonly definition: AnyCollectionDefinition;
  readonly mapping: Mapping;
  readonly guard: Guard;
  /** Joins the writes of the source; null: each goes alone. */
  readonly batcher: WriteBatcher | null;
  readonly transport: OpenTransport;
  readonly deps: SourceDeps;
  readonly skew: ClockSkew;
}
