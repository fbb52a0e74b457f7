import { SETS, STATUSES, type PropertyType, type SetSchema } from './service-schema.js';

/** What the service refuses, as it says it. */
export class ServiceFault extends Error {
  readonly status: number;
  readonly code: string;
  readonly target: string | null;

  constructor(status: number, code: string, message: string, target: string | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.target = target;
  }
}

/** An entity as the store has it: Int64 and Decimal as texts, so that no digit is lost. */
export type Entity = Readonly<Record<string, unknown>>;

export interface StoredEntity {
  readonly entity: Entity;
  readonly etag: string;
}

/** What the service keeps, and the order in which it changed. */
export interface ServiceStore {
  all(set: string): readonly StoredEntity[];
  get(set: string, key: readonly unknown[]): StoredEntity | undefined;
  /** @throws ServiceFault - a value that its property does not take */
  put(set: string, key: readonly unknown[] | null, given: Entity, keeps: boolean): StoredEntity;
  remove(set: string, key: readonly unknown[]): void;
  /** Keeps everything as it is; what is returned brings that back. */
  saved(): () => void;
  /** How many changes there were. */
  head(): number;
  /** Keys that changed after `from` and not after `to`, each once. */
  changedKeys(set: string, from: number, to: number): readonly (readonly unknown[])[];
}

/** @param nowMs the service's clock */
export function createServiceStore(nowMs: () => number): ServiceStore {
  const sets = new Map<string, Map<string, StoredEntity>>(Object.keys(SETS).map((name) => [name, new Map()]));
  const log: { readonly set: string; readonly key: string }[] = [];
  let version = 0;

  const entitiesOf = (set: string): Map<string, StoredEntity> => sets.get(set) ?? new Map<string, StoredEntity>();

  const store: ServiceStore = {
    all: (set) => [...entitiesOf(set).values()],
    get: (set, key) => entitiesOf(set).get(JSON.stringify(key)),
    put(set, wanted, given, keeps) {
      const schema = SETS[set] as SetSchema;
      const entities = entitiesOf(set);
      const key = wanted ?? keyFor(schema, given, entities.size);
      const before = keeps ? store.get(set, key)?.entity : undefined;
      const entity: Record<string, unknown> = Object.fromEntries(
        Object.entries(schema.properties).map(([name, type]) => [name, type === 'Collection(Edm.String)' ? [] : null]),
      );
      Object.assign(entity, before);
      for (const [name, value] of Object.entries(given)) {
        const type = schema.properties[name];
        if (type === undefined) throw new ServiceFault(400, 'UnknownProperty', `there is no ${name}`, name);
        entity[name] = taken(name, type, value, entity[name]);
      }
      schema.keys.forEach((name, index) => (entity[name] = key[index]));
      checkReferences(set, entity, store);
      entity['LastModified'] = new Date(nowMs()).toISOString();
      version += 1;
      const stored = { entity, etag: `W/"${version}"` };
      // What changed last stands last, as in a table without an order of its own.
      entities.set(JSON.stringify(key), stored);
      log.push({ set, key: JSON.stringify(key) });
      return stored;
    },
    remove(set, key) {
      entitiesOf(set).delete(JSON.stringify(key));
      log.push({ set, key: JSON.stringify(key) });
    },
    saved() {
      const kept = [...sets].map(([set, entities]) => [set, new Map(entities)] as const);
      const length = log.length;
      return () => {
        for (const [set, entities] of kept) sets.set(set, entities);
        log.length = length;
      };
    },
    head: () => log.length,
    changedKeys: (set, from, to) =>
      [...new Set(log.slice(from, to).flatMap((one) => (one.set === set ? [one.key] : [])))].map(
        (key) => JSON.parse(key) as readonly unknown[],
      ),
  };
  return store;
}

function keyFor({ keys, isNumbered, properties }: SetSchema, given: Entity, size: number): readonly unknown[] {
  if (isNumbered === true) return [size + 1_000];
  return keys.map((name) => {
    const value = given[name];
    if (value === undefined) throw new ServiceFault(400, 'NoKey', `${name} is missing`, name);
    return properties[name] === 'Edm.Guid' ? String(value).toLowerCase() : value;
  });
}

/** What the service's own rules say of an entity. */
function checkReferences(set: string, entity: Entity, store: ServiceStore): void {
  if (set === 'Patients' && (entity['Name'] ?? '') === '')
    throw new ServiceFault(422, 'NoName', 'a patient has a name', 'in/Name');
  if (set !== 'Visits') return;
  if (!STATUSES.includes(entity['Status'] as (typeof STATUSES)[number]))
    throw new ServiceFault(422, 'NoStatus', 'a visit has a status', 'Status');
  const patient = entity['PatientID'];
  if (patient !== null && store.get('Patients', [patient]) === undefined)
    throw new ServiceFault(422, 'NoSuchPatient', `there is no patient ${String(patient)}`, `Visits/PatientID`);
}

/** A value in the store's form, if it is one of its type under IEEE754Compatible; a complex value keeps the members that are not given. */
function taken(name: string, type: PropertyType, value: unknown, before: unknown): unknown {
  if (value === null) return null;
  const fits = (isFit: boolean): unknown => {
    if (isFit) return value;
    throw new ServiceFault(
      400,
      'BadValue',
      `expected a value of ${type} in ${name}, got ${JSON.stringify(value)}`,
      name,
    );
  };
  switch (type) {
    case 'Edm.Int32':
      return fits(Number.isInteger(value));
    case 'Edm.Double':
      return fits(typeof value === 'number');
    case 'Edm.Boolean':
      return fits(typeof value === 'boolean');
    case 'Edm.Int64':
      return fits(typeof value === 'string' && /^-?\d+$/.test(value));
    case 'Edm.Decimal':
      return fits(typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value));
    case 'Care.Status':
      return fits(STATUSES.includes(value as (typeof STATUSES)[number]));
    case 'Collection(Edm.String)':
      return fits(Array.isArray(value) && value.every((one) => typeof one === 'string'));
    case 'Care.Vitals':
      return (
        fits(typeof value === 'object') && {
          Pulse: null,
          Remark: null,
          ...(before as object | null),
          ...(value as object),
        }
      );
    default:
      return fits(typeof value === 'string');
  }
}
