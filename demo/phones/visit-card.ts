import type { LocalRecord, OutboxEntry } from 'tidegate/client';
import { element, setText } from './element.js';
import { createFates, type FateActions } from './fates.js';
import { VISIT_STATUSES, whenOf, wordsOf, type Visit, type VisitStatus } from './visit.js';

/** What a nurse does with a visit. */
export interface VisitActions extends FateActions {
  save(fields: Pick<Visit, 'status' | 'notes'>): Promise<void>;
}

/** One visit of a phone's list. */
export interface VisitCard {
  readonly item: HTMLLIElement;
  show(visit: LocalRecord<Visit>, patient: string, edits: readonly OutboxEntry[]): void;
  /** Brings it into view, with the focus. */
  goTo(): void;
}

/** @param name unique on the page, for the labels */
export function createVisitCard(name: string, actions: VisitActions): VisitCard {
  const title = element('h3', { tabindex: '-1' });
  const badge = element('span', { class: 'badge' });
  const status = element(
    'select',
    { id: `${name}-status` },
    ...VISIT_STATUSES.map((one) => element('option', { value: one }, one)),
  );
  const notes = element('textarea', { id: `${name}-notes`, rows: '2' });
  const save = element('button', { type: 'submit' }, 'Save');
  const form = element(
    'form',
    { 'aria-label': 'Edit the visit' },
    element('label', { for: status.id }, 'Status'),
    status,
    element('label', { for: notes.id }, 'Notes'),
    notes,
    save,
  );
  const goTo = (): void => title.focus();
  const fates = createFates(actions, goTo);
  const item = element('li', {}, element('header', {}, title, badge), form, fates.place);
  /** As the fields were when nothing was typed into them yet. */
  let shown = { status: '', notes: '' };

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    shown = { status: status.value, notes: notes.value };
    void actions.save({ status: status.value as VisitStatus, notes: notes.value === '' ? null : notes.value });
  });

  return {
    item,
    show({ fields, isPending }, patient, edits) {
      setText(title, `${whenOf(fields.plannedAt)} · ${patient} · ${wordsOf(fields.kind)}`);
      // What somebody is typing is not taken from under their fingers.
      if (status.value === shown.status || shown.status === '') status.value = fields.status;
      if (notes.value === shown.notes) notes.value = fields.notes ?? '';
      shown = { status: fields.status, notes: fields.notes ?? '' };
      const place = badgeOf(isPending, edits);
      setText(badge, place);
      badge.hidden = place === '';
      fates.show(edits);
    },
    goTo,
  };
}

/** Where the visit's last edit is. */
function badgeOf(isPending: boolean, edits: readonly OutboxEntry[]): string {
  const [waiting] = edits.filter(({ status }) => status === null || status === 'ACCEPTED' || status === 'PARKED');
  if (waiting?.status === 'PARKED') return 'with an operator';
  if (waiting?.status === 'ACCEPTED') return 'accepted, the clinic is not done yet';
  if (waiting !== undefined) return 'waits on this phone';
  return isPending ? 'somebody’s edit is on its way' : '';
}
