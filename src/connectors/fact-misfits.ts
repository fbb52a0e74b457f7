import type { BatchFacts } from './batch.js';
import type { AnyCollectionDefinition, WriteFacts } from './define.js';
import { durationMs } from './duration.js';
import type { CallPurpose } from './fault.js';
import { misfitsOfKeyForm } from './key-form.js';
import { misfitsOfNaturalKey, NATURAL_LOOK_UP } from './natural-key.js';
import { misfitOfPaging } from './paging.js';
import { misfitsOfDelta, misfitsOfListed, misfitsOfLog, misfitsOfNumber } from './read-misfits.js';
import type { RestOperation } from './rest.js';
import { isSeries } from './series.js';
import { misfitsOfSeries } from './series-misfits.js';
import { misfitsOfSealed } from './sealed-fields.js';
import { misfitsOfStorage } from './storage-misfits.js';
import type { Operation, Transport } from './transport.js';
import { isOfHeader, LAST_MODIFIED } from './write-guard.js';

/** Names of the members that every change has beside a record's own: a field of such a name would be hidden. */
const RESERVED_FIELDS = ['__typename', 'id'];

/** What in a collection does not go together, although each fact has the right form: each as ".key: expected …, got …". */
export function misfitsOfFacts(transport: Transport, one: AnyCollectionDefinition): readonly string[] {
  return [
    ...misfitsOfCalls(transport, one),
    ...misfitsOfNumber(one),
    ...misfitsOfDelta(one),
    ...misfitsOfLog(one),
    ...misfitsOfListed(one),
    ...misfitsOfKeyForm(one),
    ...misfitsOfFields(one),
    ...misfitsOfGuard(transport, one),
    ...misfitsOfBodyGuard(transport, one),
    ...misfitsOfIdempotency(transport, one),
    ...misfitsOfBatching(transport, one),
    ...misfitsOfReference(one),
    ...misfitsOfNaturalKey(one),
    ...misfitsOfErrors(one),
    ...misfitsOfPolicy(one),
    ...misfitsOfStorage(one),
    ...misfitsOfSealed(one),
  ];
}

function misfitsOfCalls(transport: Transport, one: AnyCollectionDefinition): readonly string[] {
  const keyParts = typeof one.key === 'function' ? null : typeof one.key === 'string' ? 1 : one.key.length;
  return operationsOf(one).flatMap(([where, purpose, operation]) => {
    if (isSeries(operation))
      return misfitsOfSeries(transport, one, operation, purpose, keyParts).map((misfit) => `.${where}${misfit}`);
    if (operation.kit !== transport.kit)
      return [`.${where}: expected a call of the ${transport.kit} kit, got one of the ${operation.kit} kit`];
    const sought = where === NATURAL_LOOK_UP ? (one.write?.naturalKey?.fields ?? null) : null;
    const misfit = transport.misfitOf(operation, purpose, keyParts, sought) ?? misfitOfPaging(operation.paging);
    return misfit === null ? [] : [`.${where}: ${misfit}`];
  });
}

/** All calls of a collection, each with its place in the facts. */
export function operationsOf(one: AnyCollectionDefinition): readonly (readonly [string, CallPurpose, Operation])[] {
  const { read, write } = one;
  const found: (readonly [string, CallPurpose, Operation | undefined])[] = [
    ['read.list', 'list', read.list],
    ['read.one', 'one', read.one],
    ['read.changes.list', 'list', read.changes?.list],
    ['read.delta.list', 'list', read.delta?.list],
    ['read.delta.follow', 'list', read.delta?.follow],
    ['read.deletes.list', 'list', read.deletes?.kind === 'log' ? read.deletes.list : undefined],
    ['write.create', 'create', write?.create],
    ['write.update', 'update', write?.update],
    ['write.remove', 'delete', write?.remove],
    ['write.reference.lookUp', 'lookUp', write?.reference?.lookUp],
    [NATURAL_LOOK_UP, 'lookUp', write?.naturalKey?.lookUp],
  ];
  return found.flatMap(([where, purpose, operation]) =>
    operation === undefined ? [] : [[where, purpose, operation] as const],
  );
}

function misfitsOfFields({ fields, map, unmap, rules, write, scopes }: AnyCollectionDefinition): readonly string[] {
  const misfits: string[] = [];
  const leading = typeof scopes === 'object' ? fields[scopes.field] : undefined;
  if (typeof scopes === 'object' && (leading?.type !== 'reference' || leading.list)) {
    const kind = leading === undefined ? 'nothing' : `${leading.list ? 'a list of ' : ''}${leading.type}`;
    misfits.push(`.scopes: expected via the name of a field that is one reference, got "${scopes.field}": ${kind}`);
  }
  if (Object.keys(fields).length === 0) misfits.push('.fields: expected at least one field');
  for (const ruled of Object.keys(rules?.fields ?? {})) {
    if (!(ruled in fields))
      misfits.push(`.rules.fields.${ruled}: expected a declared field, there is none of that name`);
  }
  for (const [field, spec] of Object.entries(fields)) {
    if (RESERVED_FIELDS.includes(field))
      misfits.push(`.fields.${field}: expected another name, every record has an ${field}`);
    if (spec.type === 'enum' && spec.values === undefined)
      misfits.push(`.fields.${field}.values: expected at least one value, got nothing`);
    if (spec.type === 'reference' && spec.references === undefined)
      misfits.push(`.fields.${field}.references: expected the name of a collection, got nothing`);
    if (spec.type === 'enum' && new Set(spec.values).size !== (spec.values?.length ?? 0))
      misfits.push(`.fields.${field}.values: expected each value once`);
  }
  if (map !== undefined && unmap === undefined && (write?.create ?? write?.update) !== undefined)
    misfits.push('.unmap: expected it beside map in a collection that can be written, got nothing');
  return misfits;
}

function misfitsOfGuard(
  { kit, rowTag }: Transport,
  { version, read, write }: AnyCollectionDefinition,
): readonly string[] {
  const misfits: string[] = [];
  if (write?.guard !== undefined && version === undefined)
    misfits.push('.version: expected the member that holds it (or "etag"), since write.guard needs it, got nothing');
  const guard = typeof write?.guard === 'object' ? 'member' : write?.guard;
  if (guard !== undefined && guard !== 'argument' && kit === 'soap')
    misfits.push(`.write.guard: expected "argument", since a SOAP call takes the version as one, got "${guard}"`);
  const wanted =
    version === 'etag' || kit === 'odata' ? 'ifMatch' : version === LAST_MODIFIED ? 'ifUnmodifiedSince' : guard;
  if (kit !== 'soap' && guard !== undefined && guard !== 'argument' && guard !== wanted)
    misfits.push(`.write.guard: expected "${wanted}", which takes the version "${version}", got "${guard}"`);
  if (guard === 'argument' && kit !== 'soap')
    misfits.push(`.write.guard: expected "ifMatch", since ${callOf(kit)} takes the version as a tag, got "argument"`);
  if (write?.guard !== undefined && write.update?.guarded !== true && write.remove?.guarded !== true)
    misfits.push('.write.guard: expected an update or remove that takes it, got none');
  if (write?.update !== undefined && write.update.sends === 'merged' && read.one === undefined)
    misfits.push(".read.one: expected it, since write.update lays changes over the source's own row, got nothing");
  if (isOfHeader(version) && read.one === undefined && !(version === 'etag' && rowTag !== undefined))
    misfits.push('.read.one: expected it, since the version is a header of a single read, got nothing');
  if (version === LAST_MODIFIED && kit === 'soap')
    misfits.push('.version: expected a member, since a SOAP answer has no such header, got "lastModified"');
  return misfits;
}

function misfitsOfBodyGuard({ kit }: Transport, { fields, write }: AnyCollectionDefinition): readonly string[] {
  if (typeof write?.guard !== 'object' || kit !== 'rest') return [];
  const { member } = write.guard;
  const misfits: string[] = [];
  const { remove } = write;
  if (remove?.guarded === true && !isSeries(remove) && (remove as RestOperation).method === 'DELETE')
    misfits.push(
      '.write.remove: expected post(…, { guarded: true }) or del(…, { guarded: false }), since a DELETE has no body that takes ' +
        'the version, got del(…)',
    );
  const taken = fieldWrittenTo(fields, member);
  if (taken !== undefined)
    misfits.push(
      `.write.guard.member: expected a member that devices do not write, got "${member}", which holds fields.${taken}`,
    );
  return misfits;
}

/** The field that devices write into this member of the source's. */
function fieldWrittenTo(fields: AnyCollectionDefinition['fields'], member: string): string | undefined {
  return Object.entries(fields).find(
    ([name, { from, writable }]) => (from ?? name) === member && writable !== false,
  )?.[0];
}

function misfitsOfIdempotency({ kit, limits }: Transport, { write }: AnyCollectionDefinition): readonly string[] {
  const facts = write?.idempotencyKey;
  if (facts === undefined) return [];
  const where = '.write.idempotencyKey';
  const misfits: string[] = [];
  const { header, argument, lifetime } = facts;
  if (header === undefined && argument === undefined)
    misfits.push(
      `${where}: expected a header${kit === 'soap' ? ' or an argument' : ''} that takes the key, got nothing`,
    );
  if (header !== undefined && argument !== undefined)
    misfits.push(`${where}: expected a header or an argument, got both`);
  if (argument !== undefined && kit !== 'soap')
    misfits.push(
      `${where}: expected a header, since ${callOf(kit)} takes the key as one, got the argument "${argument}"`,
    );
  const arrivesWithinMs = limits.timeoutMs + durationMs(write?.maxRequestLifetime ?? '30s');
  if (durationMs(lifetime) <= arrivesWithinMs)
    misfits.push(
      `${where}.lifetime: expected more than the longest life of a call (timeout and write.maxRequestLifetime, ` +
        `${arrivesWithinMs} ms), got "${lifetime}"`,
    );
  if (!canWrite(write)) misfits.push(`${where}: expected a create, update or remove that sends it, got none`);
  if (write?.update !== undefined && write.update.sends !== 'changed')
    misfits.push(
      `.write.update: expected one that sends only what changed, since under write.idempotencyKey a repeat is the very same ` +
        `request, got one that sends what is ${write.update.sends}`,
    );
  return misfits;
}

/** What goes with each write in a header has no place in a batch whose requests have none. */
function misfitsOfBatching({ batch }: Transport, one: AnyCollectionDefinition): readonly string[] {
  const { write } = one;
  if (batch === undefined || batch === null) return [];
  const late = operationsOf(one).flatMap(([where, , call]) =>
    'async' in call && call.async !== undefined && call.async !== null
      ? [
          `.${where}: expected no async beside the batch of the transport, whose requests are answered at once, got async`,
        ]
      : [],
  );
  return [...late, ...misfitsOfBareBatch(batch, write)];
}

function misfitsOfBareBatch(batch: BatchFacts, write: AnyCollectionDefinition['write']): readonly string[] {
  if (batch.members.headers !== null || batch.format !== 'json') return [];
  const misfits: string[] = [];
  const since = 'since requests of a batch have no headers here (members.headers: null)';
  if (write?.guard === 'ifMatch' || write?.guard === 'ifUnmodifiedSince')
    misfits.push(`.write.guard: expected { member }, ${since}, got "${write.guard}"`);
  if (write?.idempotencyKey?.header !== undefined)
    misfits.push(`.write.idempotencyKey: expected nothing, ${since}, got the header "${write.idempotencyKey.header}"`);
  return misfits;
}

function misfitsOfReference({ fields, write }: AnyCollectionDefinition): readonly string[] {
  const reference = write?.reference;
  if (reference === undefined) return [];
  const misfits: string[] = [];
  if (write?.create === undefined)
    misfits.push(
      '.write.reference: expected write.create beside it, since a create carries the reference, got nothing',
    );
  const taken = fieldWrittenTo(fields, reference.field);
  if (taken !== undefined)
    misfits.push(
      `.write.reference.field: expected a member that devices do not write, got "${reference.field}", which holds ` +
        `fields.${taken} (writable: false there lets devices read it)`,
    );
  if (reference.lookUp.paging.kind !== 'whole')
    misfits.push('.write.reference.lookUp: expected one answer, since there is at most one such record, got pages');
  return misfits;
}

function misfitsOfErrors({ fields, write }: AnyCollectionDefinition): readonly string[] {
  const { field, message, names = {} } = write?.errors ?? {};
  const misfits: string[] = [];
  if ((field === undefined) !== (message === undefined))
    misfits.push(
      '.write.errors: expected field and message of its entries, or neither (texts by field), got one of them',
    );
  for (const [theirs, ours] of Object.entries(names)) {
    if (!Object.hasOwn(fields, ours))
      misfits.push(`.write.errors.names.${theirs}: expected one of ${Object.keys(fields).join(', ')}, got "${ours}"`);
  }
  return misfits;
}

function misfitsOfPolicy({ deletedRecord, read, write }: AnyCollectionDefinition): readonly string[] {
  if (deletedRecord === 'editWins' && read.filter !== undefined)
    return [
      '.deletedRecord: expected "deleteWins" beside read.filter, since what is outside of it is still there and cannot be made again, got "editWins"',
    ];
  return deletedRecord === 'editWins' && write?.create === undefined
    ? ['.deletedRecord: expected write.create beside "editWins", which makes the record again, got nothing']
    : [];
}

function callOf(kit: string): string {
  return kit === 'odata' ? 'an OData call' : 'a REST call';
}

function canWrite(write: WriteFacts | undefined): boolean {
  return (write?.create ?? write?.update ?? write?.remove) !== undefined;
}
