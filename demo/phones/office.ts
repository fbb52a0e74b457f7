import { arrange, element, setText, timeOf } from './element.js';
import { nextVisits, VISIT_STATUSES, whenOf, wordsOf, type Visit } from './visit.js';

/** A visit as the clinic's own system has it. */
interface OfficeVisit extends Visit {
  readonly id: string;
  readonly patient: string;
}

interface Row {
  readonly item: HTMLLIElement;
  show(visit: OfficeVisit): void;
}

const ADDRESS = '/demo/office/visits';
const LOOK_EVERY_MS = 2_000;
const ROUTES = ['R-01', 'R-02'];

/** The clinic's back office: works in the clinic's own system, which knows nothing of phones. */
export function openOffice(): HTMLElement {
  const state = element('p', { class: 'state', role: 'status' }, 'opening …');
  const list = element('ol', { class: 'visits' });
  const rows = new Map<string, Row>();

  async function look(): Promise<void> {
    try {
      const visits = await ask<readonly OfficeVisit[]>(ADDRESS, 'GET');
      const shown = ROUTES.flatMap((route) =>
        nextVisits(
          visits.filter((visit) => visit.routeId === route),
          ({ plannedAt }) => plannedAt,
        ),
      );
      for (const visit of shown) rowOf(visit.id).show(visit);
      arrange(
        list,
        shown.map(({ id }) => rowOf(id).item),
      );
      setText(state, 'the clinic’s system answers');
    } catch (fault) {
      setText(state, `the clinic’s system: ${(fault as Error).message}`);
    }
  }

  function rowOf(id: string): Row {
    const row =
      rows.get(id) ??
      createRow(id, async (fields) => {
        await ask(`${ADDRESS}/${encodeURIComponent(id)}`, 'PATCH', fields);
        await look();
        setText(state, `saved in the clinic’s system · ${timeOf(Date.now())}`);
      });
    rows.set(id, row);
    return row;
  }

  async function keepLooking(): Promise<void> {
    for (;;) {
      if (document.visibilityState === 'visible') await look();
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  void keepLooking();
  return element(
    'section',
    { id: 'office', class: 'office', 'aria-labelledby': 'office-name' },
    element('header', {}, element('h2', { id: 'office-name' }, 'Back office · the clinic’s own system')),
    state,
    list,
  );
}

function createRow(id: string, save: (fields: Partial<Visit>) => Promise<void>): Row {
  const title = element('h3');
  const route = choice(`office-${id}-route`, ROUTES);
  const status = choice(`office-${id}-status`, VISIT_STATUSES);
  const notes = element('textarea', { id: `office-${id}-notes`, rows: '2' });
  const form = element(
    'form',
    { 'aria-label': 'Edit the visit in the clinic’s system' },
    ...[labelled('Route', route), labelled('Status', status), labelled('Notes', notes)].flat(),
    element('button', { type: 'submit' }, 'Save'),
  );
  let shown: Readonly<Record<'route' | 'status' | 'notes', string>> = { route: '', status: '', notes: '' };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const changed = {
      ...(route.value === shown.route ? {} : { routeId: route.value }),
      ...(status.value === shown.status ? {} : { status: status.value }),
      ...(notes.value === shown.notes ? {} : { notes: notes.value }),
    } as Partial<Visit>;
    shown = { route: route.value, status: status.value, notes: notes.value };
    if (Object.keys(changed).length > 0) void save(changed);
  });
  return {
    item: element('li', {}, element('header', {}, title), form),
    show(visit) {
      setText(title, `${whenOf(visit.plannedAt)} · ${visit.patient} · ${wordsOf(visit.kind)}`);
      if (route.value === shown.route || shown.route === '') route.value = visit.routeId;
      if (status.value === shown.status || shown.status === '') status.value = visit.status;
      if (notes.value === shown.notes) notes.value = visit.notes ?? '';
      shown = { route: visit.routeId, status: visit.status, notes: visit.notes ?? '' };
    },
  };
}

function choice(id: string, values: readonly string[]): HTMLSelectElement {
  return element('select', { id }, ...values.map((value) => element('option', { value }, value)));
}

function labelled(text: string, field: HTMLElement): readonly HTMLElement[] {
  return [element('label', { for: field.id }, text), field];
}

async function ask<Answer>(address: string, method: string, body?: object): Promise<Answer> {
  const answer = await fetch(address, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`.slice(0, 200));
  return (await answer.json()) as Answer;
}
