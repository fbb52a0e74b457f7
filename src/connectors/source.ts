import { DEFAULT_POLICY, type Collection } from '../core/collection.js';
import type { FieldDefinition } from '../core/field.js';
import { SCOPE_ALL } from '../core/scope.js';
import type { SourceCollection, SourceFacts } from '../core/source-port.js';
import type { AnyCollectionDefinition, ConnectorDefinition, ReadFacts, WriteFacts } from './define.js';
import { isSeries } from './series.js';
import { hasFeedOfDeletions } from './delta.js';
import { watchClockSkew } from './clock-skew.js';
import { durationMs, type Duration } from './duration.js';
import type { FieldSpec } from './field-builder.js';
import { createExamined, type ExaminedCollection } from './examined-collection.js';
import { createGuard } from './guard.js';
import type { HttpHead } from './http-client.js';
import { compileMaintenance } from './maintenance.js';
import { hideWords, withoutWhy } from './hidden-words.js';
import { keyFormsOf, type KeyForms } from './key-form.js';
import { compileMapping } from './mapping.js';
import { scanPagingOf } from './paging.js';
import { secretsOf } from './credentials.js';
import { hideSecrets } from './secrets.js';
import { compileReading } from './reading.js';
import { sealedNames, withoutSealed } from './sealed-fields.js';
import { createFindAlike, naturalKeyOf } from './natural-key.js';
import { createLookUp } from './source-look-up.js';
import { createReads } from './source-reads.js';
import { createWrites } from './source-writes.js';
import { createWriteBatcher } from './write-batcher.js';
import type { SourceDeps, Transport } from './transport.js';
import { createWebhookReader, namedOf, type WebhookReader } from './webhook-reader.js';

/** A source at work: its collections behind one guard. */
export interface Source {
  readonly name: string;
  readonly collections: readonly SourceCollection[];
  /** Judges its webhooks; null: it sends none. */
  readonly webhook: WebhookReader | null;
  /** Its collections beside what it really answers, to try the declared facts. */
  readonly examined: readonly ExaminedCollection[];
  /** Ends its connections; calls under way are broken off. */
  close(): Promise<void>;
}

/** Time between polls where the connector says nothing, ms. */
const POLL_CHANGES_MS = 5_000;
const POLL_LIST_MS = 300_000;
const SCAN_MS = 21_600_000;

/** The collections of a connector as the core knows them. Pure: opens nothing. */
export function collectionsOf(definition: ConnectorDefinition): readonly Collection[] {
  return Object.entries(definition.collections).map(([name, one]) => collectionOf(definition.source, name, one));
}

/**
 * Opens a source: no request is made before the first call.
 *
 * @param keyForms of all collections that its references may point into; absent: they point into its own
 */
export function createSource(
  definition: ConnectorDefinition,
  deps: SourceDeps,
  keyForms: KeyForms = keyFormsOf([definition]),
): Source {
  const { source, transport, classify, webhook } = definition;
  const names = Object.keys(definition.collections);
  const hooked = webhook === undefined ? [] : namedOf(webhook, names);
  // Faults of all its collections come through one guard, and its webhooks through one reader.
  const isBare = Object.values(definition.collections).some(
    (one) => isWithoutValues(one) || sealedNames(one).length > 0,
  );
  const readerDeps = isBare ? { ...deps, log: withoutWhy(deps.log) } : deps;
  const reader = webhook === undefined ? null : createWebhookReader(source, webhook, names, keyForms, readerDeps);
  const maintenance = compileMaintenance(definition.maintenance ?? []);
  const guard = createGuard(source, transport.limits, maintenance, deps);
  const secrets = secretsOf(transport.auth);
  const { collections: definitions } = definition;
  const context = {
    source,
    classify,
    collections: definitions,
    secrets,
    headers: transport.headers,
    turn: (signal: AbortSignal) => guard.turn(signal),
    heard: (head?: HttpHead) => {
      guard.heard();
      if (head !== undefined) deps.answered?.(head);
    },
  };
  const skew = watchClockSkew(source, deps);
  const told = hideSecrets(transport.open(context, deps), secrets);
  const opened = isBare ? hideWords(told) : told;
  const batcher =
    transport.batch === undefined || transport.batch === null
      ? null
      : createWriteBatcher(guard, opened, transport.batch, deps.clock);
  const examined = Object.entries(definition.collections).map(([name, one]): ExaminedCollection => {
    const collection = collectionOf(source, name, one);
    const mapping = compileMapping(collection, withRowTag(one, transport), transport.textOnly, keyForms);
    const parts = {
      where: `${source}.${name}`,
      definition: one,
      mapping,
      guard,
      batcher,
      transport: opened,
      deps,
      skew,
    };
    const reads = createReads(parts);
    const { readRow, readRowWithin, probe } = reads;
    const write = createWrites({ ...parts, collection, readRowWithin, probe });
    const { reference, naturalKey } = one.write ?? {};
    const asKnown: SourceCollection = {
      collection,
      facts: {
        ...factsOf(definition, one),
        ...(maintenance.words.length > 0 ? { maintenance: maintenance.words } : {}),
        ...(reader !== null && hooked.includes(name) ? { webhookWindowMs: reader.windowMs } : {}),
      },
      isDown: () => guard.isDown(),
      isProbeDue: () => guard.isProbeDue(),
      maintenanceLeftMs: () => guard.maintenanceLeftMs(),
      clockSkewMs: () => skew.skewMs(),
      ...(reference === undefined ? {} : { lookUp: createLookUp({ ...parts, readRow }, reference) }),
      ...(naturalKey === undefined ? {} : { findAlike: createFindAlike(parts, naturalKey) }),
      readChanges: reads.readChanges,
      scan: reads.scan,
      readOne: reads.readOne,
      write,
      reading: compileReading(definition, one, collection, keyForms, deps.chance),
    };
    return createExamined(parts, asKnown);
  });
  return {
    name: source,
    collections: examined.map((one) => one.source),
    examined,
    webhook: reader,
    close: () => opened.close(),
  };
}

function collectionOf(source: string, name: string, one: AnyCollectionDefinition): Collection {
  const { write } = one;
  const canWrite = write?.create !== undefined || write?.update !== undefined;
  return {
    name,
    type: one.type,
    source,
    fields: Object.entries(one.fields).map(([field, spec]) => fieldOf(field, spec as FieldSpec, canWrite)),
    policy: one.policy ?? DEFAULT_POLICY,
    ...(one.visibility === undefined ? {} : { visibility: one.visibility }),
    // Nothing can be laid over a body that is not here.
    ...(isWithoutValues(one) ? { storage: 'metadataOnly', visibility: 'confirmed' } : {}),
    ...(one.deletedRecord === undefined ? {} : { deletedRecord: one.deletedRecord }),
    writes: {
      create: write?.create !== undefined,
      update: write?.update !== undefined,
      delete: write?.remove !== undefined,
    },
    ...(one.rules === undefined ? {} : { rules: one.rules }),
    ...scopesOf(one),
  };
}

function scopesOf(one: AnyCollectionDefinition): Pick<Collection, 'scopesOf' | 'via'> {
  const { scopes, fields } = one;
  if (scopes === undefined) return { scopesOf: everybody };
  if (typeof scopes === 'function')
    return { scopesOf: withoutSealed(scopes as Collection['scopesOf'], sealedNames(one)) };
  const { field } = scopes;
  return { scopesOf: nobody, via: { field, collection: fields[field]?.references ?? '' } };
}

const everybody = (): readonly string[] => [SCOPE_ALL];
const nobody = (): readonly string[] => [];

/** Where lists show tags, a tag is a member of each row like other versions. */
function withRowTag(one: AnyCollectionDefinition, { rowTag }: Transport): AnyCollectionDefinition {
  return one.version === 'etag' && rowTag !== undefined ? { ...one, version: rowTag } : one;
}

function isWithoutValues({ storage }: AnyCollectionDefinition): boolean {
  return storage === 'metadataOnly';
}

function fieldOf(name: string, spec: FieldSpec, canWrite: boolean): FieldDefinition {
  const { references, values, maxLength, sealed } = spec;
  return {
    name,
    type: spec.type,
    list: spec.list,
    required: spec.required,
    writable: canWrite && spec.writable !== false,
    ...(references === undefined ? {} : { references }),
    ...(values === undefined ? {} : { values }),
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(sealed === true ? { sealed } : {}),
  };
}

function factsOf({ transport }: ConnectorDefinition, one: AnyCollectionDefinition): SourceFacts {
  const { read, write } = one;
  const { limits } = transport;
  const changes = read.delta !== undefined ? 'delta' : wayOf(read.changes);
  const pollMs = changes === 'list' ? POLL_LIST_MS : POLL_CHANGES_MS;
  return {
    changes,
    ...(read.delta?.replayable === false ? { isConsumed: true } : {}),
    pollEveryMs: read.pollEvery === undefined ? pollMs : durationMs(read.pollEvery),
    ...(read.list.tagged === true ? { trustsTag: true } : {}),
    scanEveryMs: read.deletes === undefined ? SCAN_MS : durationMs(read.deletes.every),
    ...declaredMs('maxTransactionMs', longestOf(read.changes)),
    ...declaredMs('deletionLogKeepsMs', read.deletes?.kind === 'log' ? read.deletes.keepsFor : undefined),
    deletions: hasFeedOfDeletions(read) ? 'feed' : seenBy(read.deletes),
    ...(read.filter === undefined ? {} : { isFiltered: true }),
    ...(read.listed === 'keys' ? { readsEach: true } : {}),
    readOne: read.one !== undefined,
    scanPaging: scanPagingOf(read.list.paging),
    createKey: write?.create?.takesKey === true ? 'device' : 'source',
    ...(one.keysReused === undefined ? {} : { keysReused: one.keysReused }),
    updateGuard: write?.guard !== undefined && write.update?.guarded === true ? 'version' : 'none',
    deleteGuard: write?.guard !== undefined && write.remove?.guarded === true ? 'version' : 'none',
    ...(write?.guard === 'ifUnmodifiedSince' ? { guardForm: 'seconds' as const } : {}),
    ...(typeof write?.guard === 'object' ? { guardForm: 'body' as const } : {}),
    ...declaredMs('idempotencyKeyLifetimeMs', write?.idempotencyKey?.lifetime),
    ...(write?.idempotencyKey?.checkedFirst === true ? { checksKeyFirst: true } : {}),
    ...(write?.reference === undefined ? {} : { lookUp: true }),
    ...(write?.naturalKey === undefined ? {} : { naturalKey: naturalKeyOf(write.naturalKey) }),
    ...declaredMs('maxRequestLifetimeMs', write?.maxRequestLifetime),
    ...declaredMs('readAfterWriteMs', read.readAfterWrite),
    ...callsInARow(write),
    callTimeoutMs: limits.timeoutMs,
    concurrency: limits.concurrent,
    ...(transport.batch === undefined || transport.batch === null
      ? {}
      : { batch: { size: transport.batch.size, isAtomic: transport.batch.isAtomic } }),
  };
}

function seenBy(deletes: ReadFacts['deletes']): SourceFacts['deletions'] {
  if (deletes === undefined) return 'scan';
  return deletes.kind === 'log' ? 'feed' : deletes.kind;
}

function callsInARow({ create, update, remove }: WriteFacts = {}): Pick<SourceFacts, 'callsInARow'> {
  const counts = Object.entries({ create, update, delete: remove }).flatMap(([kind, operation]) =>
    isSeries(operation) ? [[kind, operation.steps.length]] : [],
  );
  return counts.length === 0 ? {} : { callsInARow: Object.fromEntries(counts) as SourceFacts['callsInARow'] & object };
}

function wayOf(changes: ReadFacts['changes']): SourceFacts['changes'] {
  if (changes === undefined) return 'list';
  return changes.kind === 'number' ? 'number' : 'updatedSince';
}

function longestOf(changes: ReadFacts['changes']): Duration | undefined {
  return changes?.kind === 'number' ? changes.longestTransaction : changes?.maxTransaction;
}

/** A fact of time where it is declared; what absence means is the port's to say. */
function declaredMs<Name extends keyof SourceFacts>(
  name: Name,
  declared: Duration | undefined,
): { readonly [Fact in Name]?: number } {
  return declared === undefined ? {} : ({ [name]: durationMs(declared) } as { readonly [Fact in Name]: number });
}
