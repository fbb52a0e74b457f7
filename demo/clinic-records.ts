import { incidentRecords } from './incident-records.js';
import type { PlaceRecord } from './place-records.js';
import {
  ALLERGIES,
  CANCELLATIONS,
  MENS_NAMES,
  ROUNDS,
  STREETS,
  SURNAMES,
  TREATMENTS,
  VISIT_KINDS,
  WOMENS_NAMES,
  type Treatment,
  type VisitKind,
} from './clinic-words.js';
import { SeededChance } from './seeded-chance.js';

/** A record of the clinic's system; the fields are those of CLINIC_FIELDS. */
export type ClinicRecord = Readonly<Record<string, unknown>> & {
  /** Numbers in the book of incidents, texts elsewhere. */
  readonly id: string | number;
  readonly version: number;
  readonly updatedAt: string;
};

/** What the clinic's system holds when it is new, beside the places. */
export interface ClinicRecords {
  readonly routes: readonly ClinicRecord[];
  readonly staff: readonly ClinicRecord[];
  readonly patients: readonly ClinicRecord[];
  readonly visits: readonly ClinicRecord[];
  readonly incidents: readonly ClinicRecord[];
}

const PATIENTS = 360;
const STAFF = 40;
const VISITS = 2000;
/** The visits lie this many days around the first day of the demo. */
const DAYS_BEFORE = 20;
const DAYS = 40;
const DAY_MS = 86_400_000;
const MARBURG = { latitude: 50.80904, longitude: 8.77069 };

/**
 * A home-care clinic around Marburg: the same records for the same places, seed and day.
 *
 * @param today like 2026-11-24: earlier visits are done, later ones are planned
 */
export function clinicRecords(places: readonly PlaceRecord[], seed: number, today: string): ClinicRecords {
  const chance = new SeededChance(seed);
  const midnight = Date.parse(`${today}T00:00:00Z`);
  const routes = ROUNDS.map((round, index) => routeRecord(places, round, index, midnight));
  const staff = Array.from({ length: STAFF }, (_, index) => staffRecord(chance, index, midnight));
  const patients = Array.from({ length: PATIENTS }, (_, index) => patientRecord(chance, places, index, midnight));
  const visits = visitRecords(chance, patients, staff, midnight);
  const incidents = incidentRecords(new SeededChance(seed + 1), visits, midnight - 10 * DAY_MS);
  return { routes, staff, patients, visits, incidents };
}

function routeRecord(
  places: readonly PlaceRecord[],
  round: (typeof ROUNDS)[number],
  index: number,
  midnight: number,
): ClinicRecord {
  return {
    id: round.id,
    name: round.name,
    weekdays: index === 3 ? ['mon', 'tue', 'wed', 'thu', 'fri'] : ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
    vehicle: `MR-HC ${101 + index}`,
    startPlaceId: nearestPlace(places, round.places[0] ?? '').id,
    lengthKm: 12.5 + index * 4.5,
    active: true,
    ...stamp(midnight - 50 * DAY_MS, index),
  };
}

function staffRecord(chance: SeededChance, index: number, midnight: number): ClinicRecord {
  const role =
    index < 20
      ? 'nurse'
      : index < 32
        ? 'careAssistant'
        : index < 35
          ? 'physiotherapist'
          : index < 37
            ? 'physician'
            : 'dispatcher';
  const firstName = chance.pick(chance.happens(0.75) ? WOMENS_NAMES : MENS_NAMES);
  const lastName = chance.pick(SURNAMES);
  const hired = midnight - chance.between(90, 9000) * DAY_MS;
  const qualified: Readonly<Record<typeof role, readonly string[]>> = {
    nurse: ['wound care', 'infusions', 'palliative care', 'diabetes care', 'practice guidance'].filter(() =>
      chance.happens(0.4),
    ),
    careAssistant: ['dementia care', 'first aid'].filter(() => chance.happens(0.5)),
    physiotherapist: ['lymph drainage'],
    physician: ['general medicine'],
    dispatcher: [],
  };
  return {
    id: numbered('S', index + 1, 3),
    firstName,
    lastName,
    role,
    qualifications: qualified[role],
    email: `${plain(firstName)}.${plain(lastName)}@homecare.example`,
    phone: `+49 69 90009 ${String(100 + index)}`,
    routeId: role === 'nurse' || role === 'careAssistant' ? numbered('R', (index % ROUNDS.length) + 1, 2) : null,
    hiredOn: new Date(hired).toISOString().slice(0, 10),
    weeklyHours: chance.pick([19.5, 25, 30, 35, 38.5, 38.5]),
    active: !chance.happens(0.05),
    ...stamp(midnight - 45 * DAY_MS, index),
  };
}

function patientRecord(
  chance: SeededChance,
  places: readonly PlaceRecord[],
  index: number,
  midnight: number,
): ClinicRecord {
  const round = ROUNDS[index % ROUNDS.length];
  const isWoman = chance.happens(0.6);
  const lastName = chance.pick(SURNAMES);
  const born = midnight - chance.between(24, 97) * 365.25 * DAY_MS - chance.between(0, 364) * DAY_MS;
  const age = (midnight - born) / (365.25 * DAY_MS);
  const relation = chance.pick(['daughter', 'son', 'wife', 'husband', 'neighbour', 'sister']);
  return {
    id: numbered('P', index + 1, 4),
    firstName: chance.pick(isWoman ? WOMENS_NAMES : MENS_NAMES),
    lastName,
    birthDate: new Date(born).toISOString().slice(0, 10),
    phone: chance.happens(0.9) ? `+49 69 90009 ${String(chance.between(200, 999))}` : null,
    street: `${chance.pick(STREETS)} ${chance.between(1, 90)}${chance.happens(0.1) ? 'a' : ''}`,
    placeId: nearestPlace(places, chance.pick(round?.places ?? [])).id,
    routeId: round?.id ?? null,
    careLevel: age > 60 ? chance.between(1, 5) : chance.happens(0.4) ? chance.between(1, 3) : null,
    allergies: ALLERGIES.filter(() => chance.happens(0.06)),
    contact: chance.happens(0.8)
      ? {
          name: `${chance.pick([...WOMENS_NAMES, ...MENS_NAMES])} ${chance.happens(0.6) ? lastName : chance.pick(SURNAMES)}`,
          relation,
          phone: `+49 171 39200 ${chance.between(10, 99)}`,
        }
      : null,
    insuranceNumber: `${chance.pick([...'ABCDEFGHJKLMNPRSTUVWXYZ'])}${String(chance.between(100_000_000, 999_999_999))}`,
    consent: chance.happens(0.93),
    notes: chance.happens(0.3)
      ? chance.pick([
          'Rings with the left bell only.',
          'Hard of hearing: call before coming.',
          'Dog in the yard, friendly.',
          'Key box, code at the office.',
          'Third floor, no lift.',
        ])
      : null,
    ...stamp(midnight - 40 * DAY_MS, index),
  };
}

function visitRecords(
  chance: SeededChance,
  patients: readonly ClinicRecord[],
  staff: readonly ClinicRecord[],
  midnight: number,
): readonly ClinicRecord[] {
  const kinds = VISIT_KINDS.map((kind) => [TREATMENTS[kind].weight, kind] as const);
  return Array.from({ length: VISITS }, (_, index) => {
    const day = Math.floor((index * DAYS) / VISITS) - DAYS_BEFORE;
    const plannedAt = midnight + day * DAY_MS + (6 * 4 + chance.between(0, 39)) * 15 * 60_000;
    return visitRecord(
      chance,
      index,
      chance.pick(patients),
      staff,
      chance.pickWeighted(kinds),
      plannedAt,
      day,
      midnight,
    );
  });
}

function visitRecord(
  chance: SeededChance,
  index: number,
  patient: ClinicRecord,
  staff: readonly ClinicRecord[],
  kind: VisitKind,
  plannedAt: number,
  day: number,
  midnight: number,
): ClinicRecord {
  const treatment: Treatment = TREATMENTS[kind];
  const status =
    day < 0
      ? chance.pickWeighted([
          [90, 'done'],
          [4, 'missed'],
          [6, 'cancelled'],
        ] as const)
      : chance.pickWeighted([
          [97, 'planned'],
          [3, 'cancelled'],
        ] as const);
  const roles =
    kind === 'physiotherapy' ? ['physiotherapist'] : kind === 'personalCare' ? ['nurse', 'careAssistant'] : ['nurse'];
  const able = staff.filter(
    (member) =>
      roles.includes(String(member['role'])) &&
      (member['routeId'] === null || member['routeId'] === patient['routeId']),
  );
  const isDone = status === 'done';
  return {
    id: numbered('V', index + 1, 5),
    patientId: patient.id,
    staffId: able.length === 0 || (day > 7 && chance.happens(0.3)) ? null : chance.pick(able).id,
    routeId: patient['routeId'],
    kind,
    status,
    plannedAt: new Date(plannedAt).toISOString(),
    durationMinutes: chance.pick(treatment.minutes),
    startedAt: isDone ? new Date(plannedAt + chance.between(-10, 25) * 60_000).toISOString() : null,
    price: treatment.price,
    notes:
      status === 'cancelled'
        ? chance.pick(CANCELLATIONS)
        : status === 'missed'
          ? 'Nobody opened.'
          : chance.pick(isDone ? treatment.done : treatment.planned),
    vitals: isDone && kind !== 'medication' && chance.happens(0.6) ? vitals(chance) : null,
    supplyIds: isDone ? treatment.supplies.filter(() => chance.happens(0.7)) : [],
    // In the order of the plan, and before the demo's first day: a visit was last touched when it was done or planned.
    ...stamp(midnight - 30 * DAY_MS, index * 60),
  };
}

function vitals(chance: SeededChance): object {
  return {
    pulse: chance.between(56, 104),
    systolic: chance.between(104, 168),
    diastolic: chance.between(58, 98),
    temperature: chance.between(359, 381) / 10,
  };
}

/** The place of that name that is nearest to the clinic: names occur more than once in a country. */
function nearestPlace(places: readonly PlaceRecord[], name: string): PlaceRecord {
  const distance = (place: PlaceRecord): number =>
    (place.latitude - MARBURG.latitude) ** 2 +
    ((place.longitude - MARBURG.longitude) * Math.cos((MARBURG.latitude * Math.PI) / 180)) ** 2;
  let nearest: PlaceRecord | undefined;
  for (const place of places) {
    if (place.name === name && (nearest === undefined || distance(place) < distance(nearest))) nearest = place;
  }
  if (nearest === undefined) throw new Error(`expected a place named ${name} in the register, got none`);
  return nearest;
}

/** No two records of a collection have the same time of change, or a page of changes could end inside equal ones. */
function stamp(from: number, seconds: number): { readonly version: number; readonly updatedAt: string } {
  return { version: 1, updatedAt: new Date(from + seconds * 1000).toISOString() };
}

function numbered(letter: string, number: number, digits: number): string {
  return `${letter}-${String(number).padStart(digits, '0')}`;
}

function plain(name: string): string {
  return name
    .toLowerCase()
    .replace(/ß/g, 'ss')
    .replace(/ı/g, 'i')
    .normalize('NFD')
    .replace(/[^a-z]/g, '');
}
