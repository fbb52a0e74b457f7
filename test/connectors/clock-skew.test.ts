import { watchClockSkew } from '../../src/connectors/clock-skew.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { createManualClock } from '../support/manual-clock.js';
import { silentLog } from '../support/postgres.js';
import { scanned, startScripted } from './scripted-source.js';

const NOON = Date.UTC(2026, 0, 5, 12);

function watch() {
  const clock = createManualClock(NOON);
  const told: object[] = [];
  const log = { ...silentLog, warn: (_what: string, details?: object) => void told.push(details ?? {}) };
  const skew = watchClockSkew('clinic', { clock, log });
  return { skew, told, notes: (...aheadMs: number[]) => aheadMs.forEach((ms) => skew.note(NOON + ms)) };
}

test('the skew of a source is the median of its last answers: one that was long on its way changes nothing', () => {
  const { skew, told, notes } = watch();
  expect(skew.skewMs()).toBeNull();
  notes(-2_000, -2_000, -90_000, -1_000, -2_000, -2_000);
  expect(skew.skewMs()).toBe(-2_000);
  expect(told).toEqual([]);
});

test('a jump of its clock is told once, when several answers in a row agree', () => {
  const { skew, told, notes } = watch();
  notes(0, 0, 0, 0, 0, 3_600_000, 3_600_000);
  expect(told).toEqual([]);
  notes(3_600_000, 3_601_000, 3_600_000, 3_600_000);
  expect(told).toEqual([{ source: 'clinic', wasAheadMs: 0, isAheadMs: 3_600_000 }]);
  notes(...Array.from({ length: 40 }, () => 3_600_000));
  expect(told).toHaveLength(1);
  expect(skew.skewMs()).toBe(3_600_000);
});

test('it is measured by the Date header of lists, for all collections of a source together', async () => {
  const source = await startScripted(NOON);
  try {
    source.answer = () => ({ rows: [], headers: { date: new Date(NOON - 7_000).toUTCString() } });
    const [visits] = source.open() as [SourceCollection];
    expect(visits.clockSkewMs?.()).toBeNull();
    await scanned(visits);
    expect(visits.clockSkewMs?.()).toBe(-7_000);
  } finally {
    await source.close();
  }
});
