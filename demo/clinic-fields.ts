import { PLACE_KINDS, STATES } from './place-codes.js';
import { INCIDENT_KINDS, VISIT_KINDS } from './clinic-words.js';

/** What the clinic's system asks of one field. */
export interface FieldRule {
  readonly type:
    | 'text'
    | 'int'
    | 'float'
    | 'boolean'
    | 'date'
    | 'dateTime'
    | 'money'
    | 'enum'
    | 'texts'
    | 'enums'
    | 'object'
    | 'reference';
  readonly required?: true;
  /** Of an enum or a list of enums. */
  readonly values?: readonly string[];
  /** Of a reference: the collection of the same system that must hold the record. */
  readonly references?: ClinicCollection;
  readonly min?: number;
  readonly max?: number;
}

export const CLINIC_COLLECTIONS = ['places', 'routes', 'staff', 'patients', 'visits', 'incidents'] as const;
export type ClinicCollection = (typeof CLINIC_COLLECTIONS)[number];

/**
 * The book of incidents is the oldest part of the system: it numbers its records itself, and takes no `Idempotency-Key`. What
 * others file there they find again by their own `externalRef`.
 */
export const NUMBERED_COLLECTION: ClinicCollection = 'incidents';

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export const STAFF_ROLES = ['nurse', 'careAssistant', 'physiotherapist', 'physician', 'dispatcher'] as const;
export const VISIT_STATUSES = ['planned', 'underway', 'done', 'missed', 'cancelled'] as const;
const INCIDENT_SEVERITIES = ['low', 'medium', 'high'] as const;
const INCIDENT_STATUSES = ['open', 'inReview', 'closed'] as const;

/** The fields of each collection, beside `id`, `version` and `updatedAt`, which every record has. */
export const CLINIC_FIELDS: Readonly<Record<ClinicCollection, Readonly<Record<string, FieldRule>>>> = {
  places: {
    name: { type: 'text', required: true, max: 200 },
    kind: { type: 'enum', required: true, values: PLACE_KINDS },
    state: { type: 'enum', required: true, values: STATES },
    municipality: { type: 'text', max: 20 },
    population: { type: 'int', required: true, min: 0 },
    latitude: { type: 'float', required: true, min: -90, max: 90 },
    longitude: { type: 'float', required: true, min: -180, max: 180 },
  },
  routes: {
    name: { type: 'text', required: true, max: 100 },
    weekdays: { type: 'enums', required: true, values: WEEKDAYS },
    vehicle: { type: 'text', max: 20 },
    startPlaceId: { type: 'reference', required: true, references: 'places' },
    lengthKm: { type: 'float', min: 0 },
    active: { type: 'boolean', required: true },
  },
  staff: {
    firstName: { type: 'text', required: true, max: 100 },
    lastName: { type: 'text', required: true, max: 100 },
    role: { type: 'enum', required: true, values: STAFF_ROLES },
    qualifications: { type: 'texts' },
    email: { type: 'text', max: 200 },
    phone: { type: 'text', max: 40 },
    routeId: { type: 'reference', references: 'routes' },
    hiredOn: { type: 'date', required: true },
    weeklyHours: { type: 'float', required: true, min: 0, max: 60 },
    active: { type: 'boolean', required: true },
  },
  patients: {
    firstName: { type: 'text', required: true, max: 100 },
    lastName: { type: 'text', required: true, max: 100 },
    birthDate: { type: 'date', required: true },
    phone: { type: 'text', max: 40 },
    street: { type: 'text', required: true, max: 200 },
    placeId: { type: 'reference', required: true, references: 'places' },
    routeId: { type: 'reference', required: true, references: 'routes' },
    careLevel: { type: 'int', min: 1, max: 5 },
    allergies: { type: 'texts' },
    contact: { type: 'object' },
    insuranceNumber: { type: 'text', max: 20 },
    consent: { type: 'boolean', required: true },
    notes: { type: 'text', max: 5000 },
  },
  visits: {
    patientId: { type: 'reference', required: true, references: 'patients' },
    staffId: { type: 'reference', references: 'staff' },
    routeId: { type: 'reference', required: true, references: 'routes' },
    kind: { type: 'enum', required: true, values: VISIT_KINDS },
    status: { type: 'enum', required: true, values: VISIT_STATUSES },
    plannedAt: { type: 'dateTime', required: true },
    durationMinutes: { type: 'int', required: true, min: 5, max: 480 },
    startedAt: { type: 'dateTime' },
    price: { type: 'money', required: true },
    notes: { type: 'text', max: 5000 },
    vitals: { type: 'object' },
    supplyIds: { type: 'texts' },
  },
  incidents: {
    patientId: { type: 'reference', required: true, references: 'patients' },
    visitId: { type: 'reference', references: 'visits' },
    staffId: { type: 'reference', references: 'staff' },
    routeId: { type: 'reference', required: true, references: 'routes' },
    kind: { type: 'enum', required: true, values: INCIDENT_KINDS },
    severity: { type: 'enum', required: true, values: INCIDENT_SEVERITIES },
    status: { type: 'enum', required: true, values: INCIDENT_STATUSES },
    happenedAt: { type: 'dateTime', required: true },
    description: { type: 'text', required: true, max: 5000 },
    externalRef: { type: 'text', max: 200 },
  },
};

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;
const MONEY = /^(0|[1-9]\d{0,9})\.\d{2}$/;
const MAX_TEXT = 10_000;
const MAX_LIST = 200;

/** What does not fit a rule, as "must be …", or null. References are only checked for their form. */
export function misfitOf(rule: FieldRule, value: unknown): string | null {
  if (value === null || value === undefined) return rule.required ? 'must not be empty' : null;
  return CHECKS[rule.type](rule, value);
}

const CHECKS: Readonly<Record<FieldRule['type'], (rule: FieldRule, value: unknown) => string | null>> = {
  text: (rule, value) =>
    typeof value === 'string' && value.length <= (rule.max ?? MAX_TEXT) && !(rule.required && value.trim() === '')
      ? null
      : `must be a text of ${rule.required ? '1 to' : 'at most'} ${rule.max ?? MAX_TEXT} characters`,
  int: (rule, value) =>
    Number.isInteger(value) && isWithin(rule, value as number) ? null : `must be a whole number${rangeOf(rule)}`,
  float: (rule, value) =>
    typeof value === 'number' && isWithin(rule, value) ? null : `must be a number${rangeOf(rule)}`,
  boolean: (_rule, value) => (typeof value === 'boolean' ? null : 'must be true or false'),
  date: (_rule, value) =>
    typeof value === 'string' && DATE.test(value) && isDay(value) ? null : 'must be a date like 2026-01-31',
  dateTime: (_rule, value) =>
    typeof value === 'string' && DATE_TIME.test(value) && !Number.isNaN(Date.parse(value)) && isDay(value.slice(0, 10))
      ? null
      : 'must be a date and time with zone, like 2026-01-31T08:30:00.000Z',
  money: (_rule, value) =>
    typeof value === 'string' && MONEY.test(value) ? null : 'must be an amount with two decimals as text, like "38.50"',
  enum: (rule, value) => (isOneOf(rule, value) ? null : `must be one of ${(rule.values ?? []).join(', ')}`),
  texts: (_rule, value) =>
    isList(value) && value.every((item) => typeof item === 'string' && item.length <= 200)
      ? null
      : 'must be a list of texts',
  enums: (rule, value) =>
    isList(value) && value.every((item) => isOneOf(rule, item))
      ? null
      : `must be a list of ${(rule.values ?? []).join(', ')}`,
  object: (_rule, value) => (typeof value === 'object' && !Array.isArray(value) ? null : 'must be an object'),
  reference: (rule, value) =>
    typeof value === 'string' && value !== '' ? null : `must be the id of one of the ${rule.references ?? 'records'}`,
};

function isWithin(rule: FieldRule, value: number): boolean {
  return Number.isFinite(value) && value >= (rule.min ?? -(2 ** 31)) && value <= (rule.max ?? 2 ** 31 - 1);
}

function rangeOf(rule: FieldRule): string {
  if (rule.min === undefined) return '';
  return rule.max === undefined ? ` of at least ${rule.min}` : ` from ${rule.min} to ${rule.max}`;
}

function isDay(day: string): boolean {
  const ms = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

function isOneOf(rule: FieldRule, value: unknown): boolean {
  return typeof value === 'string' && (rule.values ?? []).includes(value);
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length <= MAX_LIST;
}
