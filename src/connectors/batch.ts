import { z } from 'zod';
import { durationMs, LONGEST_DURATION_MS, parseDuration, type Duration } from './duration.js';
import { misfitsOf } from './sign-in-check.js';

/** How many writes go together, and for how long one waits for others. */
export interface BatchOptions {
  /** True: a batch is done whole, or nothing of it. Default: each write of it for itself. */
  readonly atomic?: boolean;
  /** Most writes of one batch. Default: 20. */
  readonly size?: number;
  /** For so long a write waits for others, while writes are under way; one that comes alone goes at once. Default: 10 ms. */
  readonly window?: Duration;
}

/** Where a batch in JSON has its parts. */
export interface BatchMembers {
  /** The list of requests in a batch, of answers in its answer. */
  readonly requests: string;
  readonly responses: string;
  /** Of a request and of its answer. */
  readonly id: string;
  readonly body: string;
  /** Null: requests have no headers of their own. */
  readonly headers: string | null;
  readonly method: string;
  /** Takes the path behind the address of the source. */
  readonly url: string;
  readonly status: string;
  /** Takes the name of the group that is done whole or not at all; null: every batch is one. */
  readonly group: string | null;
}

/** Writes of a source that wait at the same time go in one request. */
export interface Batch extends BatchOptions {
  readonly format: 'json' | 'multipart';
  /** Where batches are sent, behind the address of the source. */
  readonly path: string;
  readonly members: BatchMembers;
}

/** A batch with its defaults. */
export interface BatchFacts extends Batch {
  readonly isAtomic: boolean;
  readonly size: number;
  readonly windowMs: number;
}

const DEFAULT_SIZE = 20;
const DEFAULT_WINDOW = '10ms';
const MOST_ITEMS = 1_000;

const MEMBERS: BatchMembers = {
  requests: 'requests',
  responses: 'responses',
  id: 'id',
  body: 'body',
  headers: 'headers',
  method: 'method',
  url: 'url',
  status: 'status',
  group: null,
};

/** A batch as one JSON document: a list of requests, and a list of answers by their ids. `members` are those with other names. */
export function jsonBatch(
  path: string,
  options: BatchOptions & { readonly members?: Partial<BatchMembers> } = {},
): Batch {
  const { members, ...rest } = options;
  return { format: 'json', path, members: { ...MEMBERS, ...members }, ...rest };
}

/** OData's `$batch` in JSON (4.01): atomic ones are one atomicity group. */
export function odataJsonBatch(options: BatchOptions = {}): Batch {
  return jsonBatch('/$batch', { ...options, members: { group: 'atomicityGroup' } });
}

/** OData's `$batch` as multipart/mixed (4.0): atomic ones are one change set. */
export function multipartBatch(options: BatchOptions = {}): Batch {
  return { format: 'multipart', path: '/$batch', members: MEMBERS, ...options };
}

/** Throws nothing: what does not fit is told when the connector is defined. Null: writes go singly. */
export function batchFacts(batch: Batch | undefined): BatchFacts | null {
  if (batch === undefined || misfitsOfBatch(batch).length > 0) return null;
  const { atomic, size = DEFAULT_SIZE, window = DEFAULT_WINDOW } = batch;
  return { ...batch, isAtomic: atomic === true, size, windowMs: durationMs(window) };
}

const SIZE = `expected a whole number from 2 to ${MOST_ITEMS}`;
const name = z.string('expected a name').min(1, 'expected a name');
const SCHEMA = z.strictObject(
  {
    format: z.enum(['json', 'multipart']),
    path: z.string().startsWith('/', 'expected a path that begins with "/"'),
    atomic: z.boolean('expected true or false').optional(),
    size: z.int(SIZE).min(2, SIZE).max(MOST_ITEMS, SIZE).optional(),
    window: z
      .string('expected a duration like "10ms"')
      .refine((text) => (parseDuration(text) ?? Infinity) <= LONGEST_DURATION_MS, 'expected a duration like "10ms"')
      .optional(),
    members: z.strictObject({
      requests: name,
      responses: name,
      id: name,
      body: name,
      headers: name.nullable(),
      method: name,
      url: name,
      status: name,
      group: name.nullable(),
    }),
  },
  'expected jsonBatch(…), odataJsonBatch(…) or multipartBatch(…)',
);

/** What is wrong with a kit's `batch`, each as ".batch…: expected …, got …". */
export function misfitsOfBatch(batch: unknown): readonly string[] {
  return misfitsOf(SCHEMA.optional(), batch).map((misfit) => `.batch${misfit}`);
}
