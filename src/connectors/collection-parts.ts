import type { ClockSkew } from './clock-skew.js';
import type { AnyCollectionDefinition } from './define.js';
import type { Guard } from './guard.js';
import type { Mapping } from './mapping.js';
import type { OpenTransport, SourceDeps } from './transport.js';
import type { WriteBatcher } from './write-batcher.js';

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
