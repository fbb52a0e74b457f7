import type { Fields } from '../../src/core/change.js';
import { connectorContract } from '../contract/connector.contract.js';
import { buildDemo } from '../demo/built-demo.js';
import { openClinic } from './clinic-under-test.js';

const demo = buildDemo();
afterAll(() => demo.remove());

const VISIT: Fields = {
  patientId: 'P-0001',
  staffId: null,
  routeId: 'R-01',
  kind: 'woundCare',
  status: 'planned',
  plannedAt: '2026-11-25T08:00:00.000Z',
  durationMinutes: 30,
  price: '38.50',
  notes: 'Größe “8” 🩹',
  vitals: { pulse: 71 },
};

connectorContract("the clinic's visits over REST", () =>
  openClinic(demo, 'visits', true, {
    whole: VISIT,
    edit: (number) => ({ notes: `edit ${number}` }),
    refused: { fields: { patientId: 'P-none' }, field: 'patientId' },
  }),
);
