import type { LocalRecord, OutboxEntry } from 'tidegate/client';
import { element, setText } from './element.js';
import { VISIT_STATUSES, whenOf, wordsOf, type Visit, type VisitStatus } from './visit.js';

/** What a nurse does with a visit. */
export interface VisitActions {
  save(fields: Pick<Visit, 'status' | 'notes'>): Promise<void>;
  /** Makes a refused edit once more, from the visit as it is now. */
  keepMine(changeId: string): Promise<void>;
  takeTheirs(changeId: string): Promise<void>;
}

/** One visit of a phone's list. */
export interface VisitCard {
  readonly item: HTMLLIElement;
  show(visit: LocalRecord<Visit>, patient: string, edits: readonly OutboxEntry[]): void;
}

/** @param name unique on the page, for the labels */
export function createVisitCard(name: string, actions: VisitActions): VisitCard {
  const title = element('h3');
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
  const fates = element('div', { class: 'fates', 'aria-live': 'polite' });
  const item = element('li', {}, element('header', {}, title, badge), form, fates);
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
      fates.replaceChildren(...edits.flatMap((edit) => fateOf(edit, actions)));
    },
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

/** What a person has to be told of an edit. */
function fateOf(edit: OutboxEntry, actions: VisitActions): readonly HTMLElement[] {
  const { changeId, status, conflict, error } = edit;
  if (status === 'CONFLICT') {
    const compared = (conflict?.fields ?? []).map((field) =>
      element(
        'p',
        {},
        element('b', {}, field),
        ` · yours: “${textOf(conflict?.yours?.[field])}” · the clinic’s: “${textOf(conflict?.theirs?.json?.[field])}”`,
      ),
    );
    return [
      element(
        'div',
        { class: 'conflict' },
        element('p', {}, 'You and the clinic changed the same.'),
        ...compared,
        button('Keep mine', () => actions.keepMine(changeId)),
        button('Take theirs', () => actions.takeTheirs(changeId)),
      ),
    ];
  }
  if (status !== 'REJECTED' && status !== 'UNANSWERED') return [];
  const why = status === 'UNANSWERED' ? 'nobody can tell whether it took effect' : (error?.message ?? 'refused');
  return [
    element(
      'div',
      { class: 'conflict' },
      element('p', {}, `Not saved: ${why}`),
      button('Let go of it', () => actions.takeTheirs(changeId)),
    ),
  ];
}

function button(text: string, press: () => Promise<void>): HTMLButtonElement {
  const made = element('button', { type: 'button' }, text);
  made.addEventListener('click', () => void press());
  return made;
}

function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
}
