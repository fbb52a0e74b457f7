import type { Fields } from '../../src/core/change.js';
import { connectorContract } from '../contract/connector.contract.js';
import { buildDemo } from '../demo/built-demo.js';
import { openClinic } from './clinic-under-test.js';

const demo = buildDemo();
afterAll(() => demo.remove());

const INCIDENT: Fields = {
  patientId: 'P-0001',
  visitId: null,
  routeId: 'R-01',
  kind: 'fall',
  severity: 'low',
  status: 'open',
  happenedAt: '2026-11-25T08:00:00.000Z',
  description: 'Found sitting beside the bed.',
};

/** More than one page holds, in the order in which they were filed. */
const FILED = Array.from({ length: 520 }, (_, index) => ({
  id: index + 1,
  ...INCIDENT,
  externalRef: null,
  version: 1,
  updatedAt: new Date(Date.UTC(2026, 10, 1) + index * 1_000).toISOString(),
}));

connectorContract("the clinic's incidents, which it numbers itself", () =>
  openClinic(
    demo,
    'incidents',
    false,
    {
      whole: INCIDENT,
      edit: (number) => ({ description: `edit ${number}` }),
      refused: { fields: { visitId: 'V-none' }, field: 'visitId' },
    },
    FILED,
  ),
);
