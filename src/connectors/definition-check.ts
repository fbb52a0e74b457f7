import { z } from 'zod';
import { POLICIES } from '../core/collection.js';
import { StartupError } from '../core/errors.js';
import { describe, FIELD_TYPES } from '../core/field.js';
import type { ConnectorDefinition } from './define.js';
import { LONGEST_DURATION_MS, parseDuration } from './duration.js';
import { misfitsOfFacts } from './fact-misfits.js';
import { misfitsOfMaintenance, WEEKDAYS } from './maintenance.js';
import type { Operation, Transport } from './transport.js';
import { misfitsOfWebhook } from './webhook-misfits.js';
import { zoneNamed } from './zone.js';

/** Names that GraphQL takes, and that do not look like its own. */
const NAME = /^(?!__)[_A-Za-z][_0-9A-Za-z]{0,99}$/;

const name = z.string().regex(NAME, 'expected a GraphQL name: letters, digits and _, not beginning with a digit');
const duration = z
  .string()
  .refine((text) => parseDuration(text) !== null, 'expected a duration like "500ms", "30s", "5m", "6h" or "1d"');
const someTime = duration.refine((text) => {
  const ms = parseDuration(text) ?? 1;
  return ms >= 1 && ms <= LONGEST_DURATION_MS;
}, 'expected a duration from "1ms" to "24d"');
const zone = z.string().refine(isZone, 'expected a zone like "UTC" or "Europe/Berlin"');
const func = z.custom((value) => typeof value === 'function', 'expected a function');
const operation = z.custom<Operation>(isOperation, 'expected a call of a kit, like get(…) or call(…)');
const text = z.string().min(1, 'expected a text');
const key = z.union([text, z.array(text).min(1), func], 'expected the name of a member, names, or a function');

const fieldSpec = z.strictObject({
  type: z.enum(FIELD_TYPES),
  list: z.boolean(),
  required: z.boolean(),
  writable: z.boolean().optional(),
  from: text.optional(),
  references: name.optional(),
  values: z.array(name).min(1).optional(),
  maxLength: z.int().min(1).optional(),
  sealed: z.boolean().optional(),
});

const timeFilter = z.strictObject({
  kind: z.undefined().optional(),
  param: text,
  stamp: text.optional(),
  precision: someTime,
  zone: zone.optional(),
  inclusive: z.boolean(),
  ordered: z.boolean().optional(),
  maxTransaction: duration,
  format: z.enum(['iso', 'isoSeconds', 'local', 'localSeconds', 'date', 'epochMs', 'epochSeconds']).optional(),
  render: func.optional(),
});

const numberFilter = z.strictObject({
  kind: z.literal('number'),
  param: text,
  member: text,
  inclusive: z.boolean(),
  gap: z
    .custom<number>((value) => Number.isSafeInteger(value) && Number(value) >= 0, 'expected a whole number from 0')
    .optional(),
  longestTransaction: duration.optional(),
  form: z.enum(['digits', 'hex', 'base64']).optional(),
  render: func.optional(),
});

const FILTER = 'expected changeNumber(…), or a filter of time, which needs no kind';
const filterError = {
  error: (issue: { readonly code?: string }) => (issue.code === 'invalid_union' ? FILTER : undefined),
};
const changes = z.discriminatedUnion(
  'kind',
  [
    timeFilter.extend({ ordered: z.boolean(), list: operation.optional() }),
    numberFilter.extend({ list: operation.optional() }),
  ],
  filterError,
);

const rowFlag = z.strictObject({
  member: text,
  value: z.union([z.string(), z.number(), z.boolean()]).optional(),
});

const FILTER_FORM = 'expected members with their values, like { clinic: 7, state: ["new", "open"] }, or a function';
const filterValue = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const rowFilter = z.union(
  [
    z
      .record(text, z.union([filterValue, z.array(filterValue).min(1)]))
      .refine((filter) => Object.keys(filter).length > 0, FILTER_FORM),
    func,
  ],
  FILTER_FORM,
);

const status = z.custom<number>(
  (value) => typeof value === 'number' && Number.isInteger(value) && value >= 400 && value <= 599,
  'expected a status of 400 to 599',
);

const delta = z.strictObject({
  list: operation.optional(),
  follow: operation.optional(),
  param: text.optional(),
  removed: rowFlag.optional(),
  replayable: z.boolean(),
  expiredOn: z.array(status).optional(),
});

const deletes = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('scan'), every: someTime }),
  rowFlag.extend({ kind: z.literal('flag'), every: someTime }),
  z.strictObject({
    kind: z.literal('log'),
    list: operation,
    key: key.optional(),
    since: z.discriminatedUnion('kind', [timeFilter, numberFilter], filterError),
    keepsFor: duration,
    comesBack: z.boolean().optional(),
    every: someTime,
  }),
  z.strictObject({ kind: z.literal('none'), every: someTime }),
]);

const keyForm = z.strictObject({
  trim: z.boolean().optional(),
  case: z.enum(['lower', 'upper']).optional(),
  digits: z.int().min(1).max(100).optional(),
});

const CLIENT_FAULT = 'expected a status from 400 to 499';
const clientFault = z.int().min(400, CLIENT_FAULT).max(499, CLIENT_FAULT);

const writeGuard = z.union(
  [
    z.enum(['ifMatch', 'ifUnmodifiedSince', 'argument']),
    z.strictObject({
      member: text,
      conflict: z.union([clientFault, z.array(clientFault).min(1)]).optional(),
      as: z.enum(['number', 'text']).optional(),
    }),
  ],
  'expected "ifMatch", "ifUnmodifiedSince", "argument" or { member, conflict: 400 to 499, as: "number" or "text" }',
);

const collectionSchema = z.strictObject({
  type: name,
  key,
  keyForm: z
    .union(
      [keyForm, z.array(keyForm).min(1)],
      'expected { trim, case: "lower" or "upper", digits: 1 to 100 }, or a list of these',
    )
    .optional(),
  keysReused: z.boolean().optional(),
  version: text.optional(),
  fields: z.record(name, fieldSpec),
  scopes: z
    .union([func, z.strictObject({ kind: z.literal('via'), field: name })], 'expected a function, or via(…)')
    .optional(),
  rules: z
    .strictObject({
      create: func.optional(),
      update: func.optional(),
      delete: func.optional(),
      fields: z.record(name, func).optional(),
    })
    .optional(),
  policy: z.enum(POLICIES).optional(),
  visibility: z.enum(['pending', 'confirmed']).optional(),
  deletedRecord: z.enum(['deleteWins', 'editWins']).optional(),
  storage: z.enum(['snapshot', 'metadataOnly']).optional(),
  read: z.strictObject({
    list: operation,
    filter: rowFilter.optional(),
    one: operation.optional(),
    listed: z.enum(['records', 'keys']).optional(),
    changes: changes.optional(),
    delta: delta.optional(),
    deletes: deletes.optional(),
    pollEvery: someTime.optional(),
    readAfterWrite: duration.optional(),
  }),
  write: z
    .strictObject({
      create: operation.optional(),
      update: operation.optional(),
      remove: operation.optional(),
      guard: writeGuard.optional(),
      idempotencyKey: z
        .strictObject({
          header: z
            .string()
            .regex(/^[A-Za-z0-9-]+$/, 'expected the name of a header')
            .optional(),
          argument: text.optional(),
          lifetime: duration,
          checkedFirst: z.boolean().optional(),
        })
        .optional(),
      reference: z.strictObject({ field: text, lookUp: operation }).optional(),
      naturalKey: z
        .strictObject({ fields: z.array(name).min(1), lookUp: operation, fixed: z.boolean().optional() })
        .optional(),
      errors: z
        .strictObject({
          at: z.string(),
          field: text.optional(),
          message: text.optional(),
          names: z.record(text, text).optional(),
        })
        .optional(),
      maxRequestLifetime: duration.optional(),
    })
    .optional(),
  map: func.optional(),
  unmap: func.optional(),
});

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'expected a time of day like "22:00"');

const maintenanceWindow = z.strictObject({
  days: z.array(z.enum(WEEKDAYS)).min(1).optional(),
  from: timeOfDay,
  to: timeOfDay,
  zone,
});

const connectorSchema = z.strictObject({
  source: name,
  transport: z.custom<Transport>(isTransport, 'expected rest(…), odata(…) or soap(…)'),
  collections: z.record(name, collectionSchema),
  maintenance: z.array(maintenanceWindow).optional(),
  // Checked by itself: what came is not shown, there may be a secret in it.
  webhook: z.unknown().optional(),
  classify: func.optional(),
});

/** @throws StartupError config - one line for each thing that is wrong */
export function checkDefinition(definition: ConnectorDefinition): void {
  const who = describeConnector(definition);
  const checked = connectorSchema.safeParse(definition);
  if (!checked.success) {
    throw new StartupError('config', checked.error.issues.map((issue) => lineOf(who, issue, definition)).join('\n'));
  }
  const problems = Object.entries(definition.collections).flatMap(([collection, one]) =>
    misfitsOfFacts(definition.transport, one).map((problem) => `${who}: ${collection}${problem}`),
  );
  problems.unshift(
    ...definition.transport.misfits.map((misfit) => `${who}: transport${misfit}`),
    ...misfitsOfMaintenance(definition.maintenance ?? []).map((misfit) => `${who}: maintenance${misfit}`),
    ...misfitsOfWebhook(definition.webhook, Object.keys(definition.collections)).map(
      (misfit) => `${who}: webhook${misfit}`,
    ),
  );
  if (Object.keys(definition.collections).length === 0) problems.push(`${who}: collections: expected at least one`);
  if (problems.length > 0) throw new StartupError('config', problems.join('\n'));
}

function lineOf(who: string, issue: z.core.$ZodIssue, definition: unknown): string {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return `${who}: ${[...path.slice(1), ...issue.keys].join('.')}: expected no such key`;
  }
  const got = path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined),
    definition,
  );
  const where = path[0] === 'collections' && path.length > 1 ? path.slice(1) : path;
  if (issue.code === 'invalid_key') {
    return `${who}: ${where.join('.')}: ${issue.issues[0]?.message ?? issue.message}, got ${describe(path.at(-1))}`;
  }
  const expected = issue.message.replace(/^Invalid (input|option): /, '').replace(/, received .*$/, '');
  return `${who}: ${where.join('.') || 'definition'}: ${expected}, got ${describe(got)}`;
}

function describeConnector(definition: unknown): string {
  const source =
    typeof definition === 'object' && definition !== null && 'source' in definition ? definition.source : undefined;
  return `connector ${typeof source === 'string' && source !== '' ? source : '(without a name)'}`;
}

function isOperation(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kit' in value && 'paging' in value;
}

function isTransport(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kit' in value && 'open' in value;
}

function isZone(value: string): boolean {
  try {
    zoneNamed(value);
    return true;
  } catch {
    return false;
  }
}
