import { collection, defineConnector, deletesByFlag, field, type ConnectorDefinition } from 'tidegate/connector';
import { del, get, patch, post, rest } from 'tidegate/connector/rest';

/** The round's system as a connector: every poll reads it whole, deleted rows are flagged, each write has a key of its own. */
export function round(baseUrl: string): ConnectorDefinition {
  const common = (path: string) =>
    ({
      key: 'id',
      version: 'version',
      read: {
        list: get(`/${path}`),
        one: get(`/${path}/{key}`),
        deletes: deletesByFlag({ member: 'deleted' }),
        pollEvery: '100ms',
      },
      write: {
        create: post(`/${path}`, { keyIn: 'id' }),
        update: patch(`/${path}/{key}`),
        remove: del(`/${path}/{key}`),
        guard: 'ifMatch',
        idempotencyKey: { header: 'Idempotency-Key', lifetime: '1d', checkedFirst: true },
        maxRequestLifetime: '1s',
      },
      policy: 'mergeFields',
    }) as const;
  return defineConnector({
    source: 'round',
    transport: rest({ baseUrl, timeout: '5s', limit: { concurrent: 8 } }),
    collections: {
      patients: collection({
        type: 'Patient',
        ...common('patients'),
        scopes: (patient) => [`route:${patient.route ?? 'none'}`],
        fields: { name: field.string({ required: true }), route: field.string({ required: true }) },
      }),
      visits: collection({
        type: 'Visit',
        ...common('visits'),
        scopes: (visit) => [`route:${visit.route ?? 'none'}`],
        fields: {
          patientId: field.reference('patients'),
          route: field.string({ required: true }),
          status: field.enum(['planned', 'done', 'missed'], { required: true }),
          note: field.string(),
          minutes: field.int(),
          price: field.decimal(),
          plannedAt: field.dateTime(),
          isUrgent: field.boolean(),
          vitals: field.json(),
          supplies: field.list(field.string()),
          updatedAt: field.dateTime({ writable: false }),
        },
      }),
    },
  });
}
