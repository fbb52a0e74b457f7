import type { ClockSkew } from './clock-skew.js';
import type { AnyCollectionDefinition } from './define.js';
import type { Guard } from './guard.js';
import type { Mapping } from './mapping.js';
import type { OpenTransport, SourceDeps } from './transport.js';

/** What reads and writes of one collection share. */
export interface CollectionParts {
  /** For messages: `source.collection`. */
  readonly where: string;
  readonly definition: AnyCollectionDefinition;
  readonly mapping: Mapping;
  readonly guard: Guard;
  readonly transport: OpenTransport;
  readonly deps: SourceDeps;
  readonly skew: ClockSkew;
}
