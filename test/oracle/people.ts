import type { Fields, RecordId } from '../../src/core/change.js';
import type { WatchedDevice } from './device.js';
import { SCOPES, type Step } from './plan.js';
import type { Row, ToySystem } from './toy-system.js';
import { ANCHOR, type World } from './world.js';

/** The user of a device edits what the app shows. */
export async function editOnDevice(
  world: World,
  device: WatchedDevice,
  { what, pick, collection }: Step & { readonly do: 'edit' },
): Promise<void> {
  const name = world.system(collection).plan.name;
  const route = pickOf(device.scopes, pick);
  const refers = world.plan.references && name === 'visits';
  // A family at once: the visit's patient is new, too.
  if (refers && what === 'create' && pick % 2 === 0 && route !== undefined)
    await create(world, device, 'patients', { route });
  const patient = refers ? { patient: patientOf(device, pick) } : {};
  if (what === 'create') {
    if (route === undefined) return;
    return create(world, device, name, { route, ...patient });
  }
  const key = pickOf(shownKeys(device, name), pick);
  if (key === undefined) return;
  const record = { collection: name, id: key.slice(name.length + 1) as RecordId };
  const fields: Readonly<Record<typeof what, Fields>> = {
    note: { note: '' },
    mark: { mark: '' },
    both: { note: '', mark: '' },
    move: { note: '', route: route ?? 'a' },
    refer: { mark: '', ...patient },
    delete: {},
  };
  return world.edit(device, record, {
    kind: what === 'delete' ? 'DELETE' : 'UPSERT',
    isCreate: false,
    fields: fields[what],
  });
}

function create(world: World, device: WatchedDevice, collection: string, fields: Fields): Promise<void> {
  const edit = { kind: 'UPSERT', isCreate: true, fields: { note: '', mark: '', ...fields } } as const;
  return world.edit(device, { collection, id: world.newId() }, edit);
}

function shownKeys(device: WatchedDevice, collection: string): readonly string[] {
  return device
    .keys()
    .filter((key) => key.startsWith(`${collection} `) && !key.endsWith(ANCHOR) && device.shown(key) !== null);
}

/** A patient whom the app shows, mostly the newest: one that was made there and not sent yet. */
function patientOf(device: WatchedDevice, pick: number): string | null {
  const shown = shownKeys(device, 'patients');
  const key = pick % 3 === 2 ? pickOf(shown, pick) : shown.at(-1);
  return key === undefined ? null : key.slice('patients '.length);
}

/** The source's own people work on their records, behind everybody's back. */
export function workInOffice(world: World, { what, collection, pick }: Step & { readonly do: 'office' }): void {
  const system = world.system(collection);
  const written = world.officeFields();
  const { note = null, mark = null } = written;
  const route = pickOf(SCOPES, pick) as string;
  const patient = world.plan.references && system.plan.name === 'visits' ? { patient: patientKey(world, pick) } : {};
  if (what === 'create') return world.officePut(system, `O-${pick}-${String(note)}`, { ...written, route, ...patient });
  if (what === 'undelete') {
    const key = pickOf(goneKeys(system), pick);
    return key === undefined ? undefined : world.officePut(system, key, { ...written, route });
  }
  const row = pickOf(editable(system), pick);
  if (row === undefined) return;
  if (what === 'delete') {
    world.tell(() => `office: deletes ${system.plan.name} ${row.key}`);
    system.end(row.key);
    return;
  }
  const fields: Readonly<Record<typeof what, Fields>> = {
    note: { note },
    mark: { mark, ...patient },
    move: { note, route },
  };
  world.officePut(system, row.key, fields[what]);
}

function editable(system: ToySystem): readonly Row[] {
  return system.alive().filter((row) => row.key !== ANCHOR);
}

/** Keys that had a row when the world began. */
function goneKeys(system: ToySystem): readonly string[] {
  return [1, 2, 3].map((n) => `O-${n}`).filter((key) => system.alive().every((row) => row.key !== key));
}

function patientKey(world: World, pick: number): string | null {
  const patients = world.systems.get('patients');
  return patients === undefined ? null : (pickOf(patients.alive(), pick)?.key ?? null);
}

function pickOf<Item>(items: readonly Item[], pick: number): Item | undefined {
  return items[pick % Math.max(1, items.length)];
}
