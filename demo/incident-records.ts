import type { ClinicRecord } from './clinic-records.js';
import { INCIDENT_KINDS, INCIDENTS } from './clinic-words.js';
import type { SeededChance } from './seeded-chance.js';

const FILED = 48;
const STILL_OPEN = 6;
const FIRST_NUMBER = 1001;
const MINUTE_MS = 60_000;

/**
 * The book of incidents: what happened at visits that were done, the newest last; the last few are still open.
 *
 * @param filedFrom the moment from which they were filed, one a minute: no two have the same time of change
 */
export function incidentRecords(
  chance: SeededChance,
  visits: readonly ClinicRecord[],
  filedFrom: number,
): readonly ClinicRecord[] {
  const done = visits.filter((visit) => visit['status'] === 'done');
  const everyNth = Math.floor(done.length / FILED);
  return done
    .filter((_visit, index) => index % everyNth === 0)
    .slice(0, FILED)
    .map((visit, index) => incidentRecord(chance, visit, index, filedFrom));
}

function incidentRecord(chance: SeededChance, visit: ClinicRecord, index: number, filedFrom: number): ClinicRecord {
  const kind = chance.pick(INCIDENT_KINDS);
  return {
    id: FIRST_NUMBER + index,
    patientId: visit['patientId'],
    visitId: visit.id,
    staffId: visit['staffId'],
    routeId: visit['routeId'],
    kind,
    severity: chance.pickWeighted([
      [6, 'low'],
      [3, 'medium'],
      [1, 'high'],
    ] as const),
    status: index >= FILED - STILL_OPEN ? 'open' : chance.pick(['inReview', 'closed', 'closed']),
    happenedAt: visit['startedAt'],
    description: chance.pick<string>(INCIDENTS[kind]),
    externalRef: null,
    version: 1,
    updatedAt: new Date(filedFrom + index * MINUTE_MS).toISOString(),
  };
}
