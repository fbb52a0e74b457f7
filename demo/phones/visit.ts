/** A visit, as far as this page shows it; an app has these types from the gateway's schema. */
export interface Visit {
  readonly patientId: string;
  readonly routeId: string;
  readonly kind: string;
  readonly status: VisitStatus;
  readonly plannedAt: string;
  readonly notes: string | null;
}

export interface Patient {
  readonly firstName: string;
  readonly lastName: string;
}

export const VISIT_STATUSES = ['planned', 'underway', 'done', 'missed', 'cancelled'] as const;
export type VisitStatus = (typeof VISIT_STATUSES)[number];

/** As many on a phone as in the back office: what a nurse has, the office can change. */
const MOST_OF_A_ROUTE = 6;

/** Of today on, the earliest first; where the clinic's plan is over, its last ones. */
export function nextVisits<Shown>(visits: readonly Shown[], plannedAt: (visit: Shown) => string): readonly Shown[] {
  const today = new Date().toISOString().slice(0, 10);
  const inOrder = [...visits].sort((a, b) => plannedAt(a).localeCompare(plannedAt(b)));
  const next = inOrder.filter((visit) => plannedAt(visit) >= today);
  return next.length === 0 ? inOrder.slice(-MOST_OF_A_ROUTE) : next.slice(0, MOST_OF_A_ROUTE);
}

/** "Nov 26, 10:30": in the clinic's own time. */
export function whenOf(plannedAt: string): string {
  const zone = { timeZone: 'UTC' } as const;
  const day = new Date(plannedAt).toLocaleDateString('en', { ...zone, month: 'short', day: 'numeric' });
  return `${day}, ${plannedAt.slice(11, 16)}`;
}

/** "woundCare" as people say it. */
export function wordsOf(kind: string): string {
  return kind.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
