import {
  collection,
  defineConnector,
  deletesByScan,
  field,
  keyset,
  type ConnectorDefinition,
} from '../src/connectors/define.js';
import { del, get, patch, post, rest } from '../src/connectors/rest.js';

/** The demo's REST system: patients, visits, incidents, staff and routes of a home-care clinic, and all places of the country. */
export function clinic(settings: { readonly baseUrl: string }): ConnectorDefinition {
  return defineConnector({
    source: 'clinic',
    transport: rest({ baseUrl: settings.baseUrl, limit: { concurrent: 8 }, timeout: '10s' }),
    collections: {
      visits: collection({
        type: 'Visit',
        ...stamped('visits', { pollEvery: '2s', scanEvery: '30s' }),
        write: writes('visits'),
        policy: 'mergeFields',
        scopes: (visit) => [`route:${visit.routeId ?? 'none'}`],
        fields: {
          patientId: field.reference('patients', { required: true }),
          staffId: field.reference('staff'),
          routeId: field.reference('routes', { required: true }),
          kind: field.enum(VISIT_KINDS, { required: true }),
          status: field.enum(['planned', 'underway', 'done', 'missed', 'cancelled'], { required: true }),
          plannedAt: field.dateTime({ required: true }),
          durationMinutes: field.int({ required: true }),
          startedAt: field.dateTime(),
          price: field.decimal({ required: true }),
          notes: field.string({ maxLength: 5_000 }),
          vitals: field.json(),
          supplyIds: field.list(field.reference('supplies')),
          updatedAt: field.dateTime({ writable: false }),
        },
      }),
      patients: collection({
        type: 'Patient',
        ...stamped('patients', { pollEvery: '3s', scanEvery: '1m' }),
        write: writes('patients'),
        policy: 'newestWins',
        scopes: (patient) => [`route:${patient.routeId ?? 'none'}`],
        fields: {
          firstName: field.string({ required: true, maxLength: 100 }),
          lastName: field.string({ required: true, maxLength: 100 }),
          birthDate: field.date({ required: true }),
          phone: field.string({ maxLength: 40 }),
          street: field.string({ required: true, maxLength: 200 }),
          placeId: field.reference('places', { required: true }),
          routeId: field.reference('routes', { required: true }),
          careLevel: field.int(),
          allergies: field.list(field.string()),
          contact: field.json(),
          insuranceNumber: field.string({ maxLength: 20 }),
          consent: field.boolean({ required: true }),
          notes: field.string({ maxLength: 5_000 }),
          updatedAt: field.dateTime({ writable: false }),
        },
      }),
      // The oldest part of the system: it numbers its records itself and takes no keys of requests. A device's incident keeps
      // the device's id, and is found by the reference that it was filed with.
      incidents: collection({
        type: 'Incident',
        ...stamped('incidents', { pollEvery: '3s', scanEvery: '1m' }),
        write: {
          create: post('/incidents'),
          update: patch('/incidents/{key}'),
          remove: del('/incidents/{key}'),
          guard: 'ifMatch',
          reference: { field: 'externalRef', lookUp: get('/incidents', { query: { externalRef: '{reference}' } }) },
        },
        policy: 'ask',
        scopes: (incident) => [`route:${incident.routeId ?? 'none'}`],
        fields: {
          patientId: field.reference('patients', { required: true }),
          visitId: field.reference('visits'),
          staffId: field.reference('staff'),
          routeId: field.reference('routes', { required: true }),
          kind: field.enum(['fall', 'medicationError', 'pressureInjury', 'accessProblem', 'aggression'], {
            required: true,
          }),
          severity: field.enum(['low', 'medium', 'high'], { required: true }),
          status: field.enum(['open', 'inReview', 'closed'], { required: true }),
          happenedAt: field.dateTime({ required: true }),
          description: field.string({ required: true, maxLength: 5_000 }),
          updatedAt: field.dateTime({ writable: false }),
        },
      }),
      staff: collection({
        type: 'StaffMember',
        ...stamped('staff', { pollEvery: '5s', scanEvery: '1m' }),
        write: writes('staff'),
        policy: 'sourceWins',
        fields: {
          firstName: field.string({ required: true, maxLength: 100 }),
          lastName: field.string({ required: true, maxLength: 100 }),
          role: field.enum(['nurse', 'careAssistant', 'physiotherapist', 'physician', 'dispatcher'], {
            required: true,
          }),
          qualifications: field.list(field.string()),
          email: field.string({ maxLength: 200 }),
          phone: field.string({ maxLength: 40 }),
          routeId: field.reference('routes'),
          hiredOn: field.date({ required: true }),
          weeklyHours: field.float({ required: true }),
          active: field.boolean({ required: true }),
          updatedAt: field.dateTime({ writable: false }),
        },
      }),
      routes: collection({
        type: 'Route',
        ...stamped('routes', { pollEvery: '10s', scanEvery: '2m' }),
        write: writes('routes'),
        policy: 'deviceWins',
        fields: {
          name: field.string({ required: true, maxLength: 100 }),
          weekdays: field.list(field.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']), { required: true }),
          vehicle: field.string({ maxLength: 20 }),
          startPlaceId: field.reference('places', { required: true }),
          lengthKm: field.float(),
          active: field.boolean({ required: true }),
          updatedAt: field.dateTime({ writable: false }),
        },
      }),
      places: collection({
        type: 'Place',
        ...stamped('places', { pollEvery: '30s', scanEvery: '1h' }),
        fields: {
          name: field.string({ required: true, maxLength: 200 }),
          kind: field.enum(PLACE_KINDS, { required: true }),
          state: field.enum(STATES, { required: true }),
          municipality: field.string({ maxLength: 20 }),
          population: field.int({ required: true }),
          latitude: field.float({ required: true }),
          longitude: field.float({ required: true }),
        },
      }),
    },
  });
}

const PAGE = 500;

/** What all collections of this system have in common: key, version, time of change, and how lists are read. */
function stamped(
  path: string,
  times: { readonly pollEvery: '2s' | '3s' | '5s' | '10s' | '30s'; readonly scanEvery: '30s' | '1m' | '2m' | '1h' },
) {
  return {
    key: 'id',
    version: 'version',
    read: {
      list: get(`/${path}`, {
        query: { _sort: 'id' },
        paging: keyset({
          by: 'id',
          afterIn: 'id_gte',
          inclusive: true,
          sizeIn: '_limit',
          size: PAGE,
          shortPageEnds: true,
        }),
      }),
      one: get(`/${path}/{key}`),
      changes: {
        param: 'updatedAt_gte',
        stamp: 'updatedAt',
        precision: '1ms',
        inclusive: true,
        ordered: true,
        maxTransaction: '1s',
        // A record that changes meanwhile moves to the end: pages by offset would pass over its neighbour.
        list: get(`/${path}`, {
          query: { _sort: 'updatedAt,id', _order: 'asc,asc' },
          paging: keyset({
            by: 'updatedAt',
            afterIn: 'updatedAt_gte',
            inclusive: true,
            sizeIn: '_limit',
            size: PAGE,
            shortPageEnds: true,
          }),
        }),
      },
      deletes: deletesByScan({ every: times.scanEvery }),
      pollEvery: times.pollEvery,
    },
  } as const;
}

function writes(path: string) {
  return {
    create: post(`/${path}`, { keyIn: 'id' }),
    update: patch(`/${path}/{key}`),
    remove: del(`/${path}/{key}`),
    guard: 'ifMatch',
    idempotencyKey: { header: 'Idempotency-Key', lifetime: '24h' },
  } as const;
}

const VISIT_KINDS = [
  'woundCare',
  'medication',
  'injection',
  'bloodPressure',
  'catheterCare',
  'personalCare',
  'physiotherapy',
  'assessment',
] as const;

const PLACE_KINDS = [
  'town',
  'stateSeat',
  'regionSeat',
  'districtSeat',
  'municipalitySeat',
  'capital',
  'governmentSeat',
  'historical',
  'hamlet',
  'settlement',
  'quarter',
] as const;

/** The federal states by their ISO 3166-2 letters. */
const STATES = [
  'BW',
  'BY',
  'HB',
  'HH',
  'HE',
  'NI',
  'NW',
  'RP',
  'SL',
  'SH',
  'BB',
  'MV',
  'SN',
  'ST',
  'TH',
  'BE',
] as const;
