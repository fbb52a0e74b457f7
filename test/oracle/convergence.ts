import type { Fields, SourceKey } from '../../src/core/change.js';
import type { RecordView } from '../../src/core/record-port.js';
import { keyOf, TENANT, type WatchedDevice } from './device.js';
import { isRefusal } from './local-change.js';
import type { LocalChange } from './local-change.js';
import type { Row } from './toy-system.js';
import type { World } from './world.js';

const ALWAYS_MS = Number.MAX_SAFE_INTEGER;

/** What is still open, and may be: parked changes and what waits for them. */
interface Lanes {
  /** By record: the values per field that an open change may show. */
  readonly open: ReadonlyMap<string, RecordView>;
  /** Open, but nothing that they could wait for is parked. */
  readonly stuck: readonly string[];
}

/**
 * The end-game: what still differs from a world in which everything came to rest. Null: every replica equals the source in its
 * scopes, every change is in the journal exactly once or settled with a reason, and nothing waits for anything but an operator.
 */
export async function difference(world: World): Promise<string | null> {
  const lanes = await readLanes(world);
  const rows = await namedRows(world, lanes);
  return (
    rows.wrong[0] ??
    lanes.stuck[0] ??
    accounts(world) ??
    queues(world, lanes) ??
    (await rechecks(world, lanes)) ??
    world.devices.map((device) => replica(device, rows, lanes, world.judge)).find((one) => one !== null) ??
    null
  );
}

async function readLanes({ store, judge }: World): Promise<Lanes> {
  const names = new Map(
    judge.changes.map((change) => [keyOf(change), { collection: change.collection, id: change.id }]),
  );
  const views = await store.readRecords(TENANT, [...names.values()]);
  const open = new Map(
    [...names.keys()].flatMap((key, at) => {
      const view = views[at];
      return view !== undefined && view.intents.length > 0 ? [[key, view] as const] : [];
    }),
  );
  const lanes = new Map(open);
  // What came with an alias is open on the record that it is (F9).
  for (const [at, key] of [...names.keys()].entries()) {
    const { collection = '', aliasOf: id = null } = views[at] ?? {};
    const [view] = id === null ? [] : await store.readRecords(TENANT, [{ collection, id }]);
    if (view === undefined || view.intents.length === 0) continue;
    lanes.set(key, view);
    open.set(keyOf(view), view);
  }
  const parked = new Set<number>();
  const all = [...lanes.values()].flatMap((view) => view.intents.map((intent) => ({ intent, first: view.intents[0] })));
  // A deletion waits for what refers to its record, or did (F18).
  const referring = new Map<number, readonly number[]>();
  for (const { collection, id, kind, intentNo } of all.map((one) => one.intent)) {
    const waited = kind === 'DELETE' ? await store.readReferring(TENANT, { collection, id }, intentNo) : [];
    referring.set(
      intentNo,
      waited.map((one) => one.intentNo),
    );
  }
  // What waits for a parked one waits rightly; so does what waits for that.
  for (let size = -1; size !== parked.size;) {
    size = parked.size;
    for (const { intent, first } of all) {
      const { patient = null } = JSON.parse(intent.fields) as Fields;
      const parents = lanes.get(`patients ${String(patient)}`)?.intents.map(({ intentNo }) => intentNo) ?? [];
      const waited = [intent.waitsFor, first?.intentNo, ...parents, ...(referring.get(intent.intentNo) ?? [])];
      const isHeld = waited.some((no) => no !== undefined && no !== null && parked.has(no));
      if (intent.state === 'PARKED' || isHeld) parked.add(intent.intentNo);
    }
  }
  const stuck = all.filter(({ intent }) => !parked.has(intent.intentNo));
  return { open, stuck: stuck.map(({ intent }) => `(h) ${intent.changeId} is ${intent.state} and nothing holds it`) };
}

/** (b), (c), (d): each change that a device made, and the journal. */
function accounts({ judge }: World): string | null {
  for (const change of judge.changes) {
    const effects = judge.effectsOf(change);
    const fate = judge.fateOf(change) ?? change.status;
    if (fate === 'APPLIED' || fate === 'MERGED') {
      const isOnce = effects.length === 1 || (effects.length === 0 && judge.needless.has(change));
      // A record that was made, deleted by others unseen, and made again: told by the judge when it happens.
      const isRepeated = effects.length > 1 && effects.every((effect) => effect.kind === 'create');
      if (!isOnce && !isRepeated) return `(b) ${fate}, but ${effects.length} times in the journal: ${change}`;
    } else if (isRefusal(fate ?? undefined)) {
      const [effect] = effects;
      if (effect && !judge.isRestored && !judge.isOverwritten(effect, fate as never))
        return `(b) ${fate}, but applied: ${change}`;
    } else if (fate === null) return `(d) never settled: ${change}`;
  }
  return null;
}

/** (e): what devices still keep is what an operator has to settle. */
function queues({ devices, judge }: World, lanes: Lanes): string | null {
  for (const device of devices) {
    for (const change of device.outbox) {
      const isOpen = lanes.open.get(keyOf(change))?.intents.some((one) => one.changeId === change.changeId) ?? false;
      const isForOperator = change.status === 'PARKED' || judge.fateOf(change) === 'PARKED';
      if (!isForOperator && !(isOpen && change.status === 'ACCEPTED')) {
        return `(e) ${device.name} still keeps ${change.status ?? 'unsent'}: ${change}`;
      }
      if (change.status === 'PARKED' && !isOpen && judge.fateOf(change) !== 'PARKED' && !judge.isRestored) {
        return `(e) ${device.name} was not told the fate of ${change}`;
      }
    }
  }
  return null;
}

async function rechecks({ store, plan }: World, lanes: Lanes): Promise<string | null> {
  for (const { name } of plan.collections) {
    // What an open create of a patient may have made holds visits that refer to it, too (F9).
    const isHeld = [...lanes.open.values()].some((view) => view.collection === name || view.collection === 'patients');
    if (isHeld) continue;
    const [first] = await store.dueRechecks(TENANT, name, ALWAYS_MS, 1);
    if (first !== undefined) return `(h) ${name} ${first.sourceKey} is still to be read again: ${first.reason}`;
  }
  return null;
}

interface NamedRows {
  /** The rows of the sources by the record that devices know them as. */
  readonly known: ReadonlyMap<string, Row>;
  /** Rows that an open create may have made: nobody can tell yet which record they are. */
  readonly open: ReadonlySet<string>;
  readonly wrong: readonly string[];
  /** The scope of each of these rows; undefined: nobody's. */
  readonly scopes: ReadonlyMap<string, unknown>;
  /** The ids of patients by their keys. */
  readonly patients: ReadonlyMap<unknown, string>;
}

/** Which record is a row? The gateway says so; that it may is judged here (R12, F9, F20). */
async function namedRows({ plan, systems, store, judge }: World, lanes: Lanes): Promise<NamedRows> {
  const routes = new Map<unknown, unknown>();
  for (const { key, fields } of systems.get('patients')?.alive() ?? []) routes.set(key, fields['route']);
  const scopes = new Map<string, unknown>();
  const known = new Map<string, Row>();
  const open = new Set<string>();
  const wrong: string[] = [];
  const patients = new Map<unknown, string>();
  const makerOf = (row: Row): LocalChange | undefined => judge.changeOfKey(row.madeBy);
  const isOpen = (row: Row): boolean => {
    const maker = makerOf(row);
    return maker !== undefined && isParked(maker, judge);
  };
  // What refers to what an open create may have made is held, too (F9).
  const unsure = new Set<unknown>(
    systems
      .get('patients')
      ?.alive()
      .filter(isOpen)
      .map((row) => row.key),
  );
  for (const system of systems.values()) {
    const { name } = system.plan;
    const rows = system.alive();
    // Visits may still name a patient who is gone.
    const named =
      name === 'patients'
        ? [...(systems.get('visits')?.alive() ?? [])].flatMap((row) => row.fields['patient'] ?? [])
        : [];
    const views = await store.readBySourceKey(TENANT, name, [...rows.map((row) => row.key), ...named] as SourceKey[]);
    if (name === 'patients') for (const [key, { id }] of views) patients.set(key, id);
    for (const row of rows) {
      const id: string | undefined = views.get(row.key as SourceKey)?.id;
      const maker = makerOf(row);
      const isItsKey = id === row.key || id?.startsWith(`${row.key}~`) === true;
      if (unsure.has(row.fields['patient'] ?? null)) open.add(`${name} ${id}`).add(`${name} ${row.key}`);
      else if (maker !== undefined && isParked(maker, judge))
        open.add(`${name} ${id}`).add(keyOf(maker)).add(`${name} ${row.key}`);
      else if (id === undefined) wrong.push(`(a) nobody knows ${name} ${row.key}`);
      else if (!isItsKey && maker?.id !== id) wrong.push(`(a) ${name} ${row.key} is known as ${id}`);
      else if (maker !== undefined && maker.id !== id && !judge.isRestored && !isMergedByKey(maker, id, judge))
        wrong.push(`(a) ${maker} became another record: ${id}`);
      else {
        const isLed = plan.via === true && name === 'visits';
        known.set(`${name} ${id}`, row);
        scopes.set(`${name} ${id}`, isLed ? routes.get(row.fields['patient']) : row.fields['route']);
      }
    }
  }
  if (plan.via === true) {
    // A patient with an open change stays as he is known, also where he moved or is gone: his visits are where he is.
    for (const [name, { fields }] of known) {
      const isLed = name.startsWith('visits ') && lanes.open.has(`patients ${patients.get(fields['patient'])}`);
      if (isLed && known.delete(name)) open.add(name);
    }
  }
  return { known, open, wrong, scopes, patients };
}

/** An edit that made a deleted record again, under a key that another one had in between, of which nobody saw the end (F20). */
function isMergedByKey(maker: LocalChange, id: string | undefined, judge: World['judge']): boolean {
  return id?.startsWith(`${maker.id}~`) === true && judge.fateOf(maker) === 'MERGED';
}

function isParked(change: LocalChange, judge: World['judge']): boolean {
  const fate = judge.fateOf(change);
  return fate === undefined || fate === 'PARKED';
}

/** (a): what the device holds is what the source has in its scopes. */
function replica(device: WatchedDevice, rows: NamedRows, lanes: Lanes, judge: World['judge']): string | null {
  const expected = new Map([...rows.known].filter(([key]) => device.scopes.includes(String(rows.scopes.get(key)))));
  for (const [key, row] of expected) {
    const held = device.rows.get(key);
    if (held === undefined) {
      if (lanes.open.get(key)?.deleted === true) continue;
      return `(a) ${device.name} lacks ${key}`;
    }
    const view = lanes.open.get(key);
    if (held.pending && view === undefined) return `(a) ${device.name} shows ${key} as pending, and nothing is open`;
    const values = openValues(view);
    for (const [field, value] of Object.entries(held.fields)) {
      const atSource = row.fields[field] ?? null;
      const patient = field === 'patient' ? rows.patients.get(atSource) : undefined;
      // A key that came back is another record (F20); what named the earlier one may name it still, and so may a reference to none.
      const isEarlier = value === atSource && (patient === undefined || patient.startsWith(`${String(atSource)}~`));
      // Gone at its source and forgotten here, it is still named by those who named it.
      const isForgotten = field === 'patient' && patient === undefined && isMadeAs(judge, value, atSource);
      const isNamed = isEarlier || isForgotten || (patient !== undefined && value === patient);
      const isTrue = isNamed || values.get(field)?.has(value) === true;
      if (!isTrue)
        return `(a) ${device.name} has ${key} ${field} ${String(value)}, the source ${String(row.fields[field])}`;
    }
  }
  for (const key of device.rows.keys()) {
    if (!expected.has(key) && !rows.open.has(key) && !lanes.open.has(key))
      return `(a) ${device.name} still holds ${key}`;
  }
  return null;
}

/** Was the patient of this id made under this key? */
function isMadeAs(judge: World['judge'], id: unknown, key: unknown): boolean {
  const made = judge.changes.filter((change) => change.collection === 'patients' && change.id === id);
  return made.some((change) => judge.effectsOf(change).some((effect) => effect.key === key));
}

function openValues(view: RecordView | undefined): ReadonlyMap<string, ReadonlySet<unknown>> {
  const values = new Map<string, Set<unknown>>();
  for (const intent of view?.intents ?? []) {
    for (const [field, value] of Object.entries(JSON.parse(intent.fields) as object)) {
      values.set(field, (values.get(field) ?? new Set()).add(value));
    }
  }
  return values;
}
