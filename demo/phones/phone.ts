import { createSyncClient, type LocalRecord, type OutboxEntry, type SyncStatus } from 'tidegate/client';
import { openIndexedDbStore } from 'tidegate/client/indexeddb';
import { createAirplaneMode } from './airplane-mode.js';
import { arrange, element, setText, timeOf } from './element.js';
import { createFates, needsSomebody, type FateActions } from './fates.js';
import { createVisitCard, type VisitCard } from './visit-card.js';
import { nextVisits, type Patient, type Visit } from './visit.js';

const COLLECTIONS = ['visits', 'patients'] as const;

/** Whose phone it is. */
export interface Nurse {
  /** Her name at the gateway, and in names of the page. */
  readonly user: string;
  readonly name: string;
  readonly route: string;
}

/**
 * A phone of the page: a device of its own, with its own store in this browser, that survives a reload.
 *
 * @param asks told whenever the number of edits changes that its nurse has to decide
 */
export async function openPhone({ user, name, route }: Nurse, asks: (count: number) => void): Promise<HTMLElement> {
  const hint = element('p', { class: 'hint', role: 'status' }, 'no hint yet');
  const airplane = createAirplaneMode((collections) =>
    setText(hint, `hint: ${collections.join(', ')} · ${timeOf(Date.now())}`),
  );
  const client = await createSyncClient<{ readonly visits: Visit; readonly patients: Patient }>({
    url: `${location.origin}/graphql`,
    store: await openIndexedDbStore(`tidegate-demo-${user}`),
    collections: COLLECTIONS,
    user,
    headers: () => ({ authorization: `Bearer ${user}` }),
    ...airplane,
  });

  const state = element('p', { class: 'state', role: 'status' });
  const plane = element('button', { type: 'button', class: 'plane', 'aria-pressed': 'false' }, 'Airplane mode');
  const decide = element('button', { type: 'button', class: 'decide', hidden: '' });
  const list = element('ol', { class: 'visits' });
  const actions: FateActions = {
    keepMine: async (changeId) => void (await client.outbox.retry(changeId)),
    takeTheirs: async (changeId) => void (await client.outbox.discard(changeId)),
  };
  /** Of visits that are not on the list (any more). */
  const others = createFates(actions, () => plane.focus());
  const panel = element(
    'section',
    { id: user, class: 'phone', 'aria-labelledby': `${user}-name` },
    element('header', {}, element('h2', { id: `${user}-name` }, `${name} · ${route}`), plane),
    state,
    hint,
    decide,
    others.place,
    list,
  );

  const cards = new Map<string, VisitCard>();
  const patients = new Map<string, string>();
  let visits: readonly LocalRecord<Visit>[] = [];
  let edits: readonly OutboxEntry[] = [];

  function show(): void {
    const next = nextVisits(visits, ({ fields }) => fields.plannedAt);
    for (const id of cards.keys()) if (!next.some((visit) => visit.id === id)) cards.delete(id);
    for (const visit of next) {
      const card = cards.get(visit.id) ?? newCard(visit.id);
      const patient = patients.get(visit.fields.patientId) ?? visit.fields.patientId;
      card.show(
        visit,
        patient,
        edits.filter((edit) => edit.collection === 'visits' && edit.id === visit.id),
      );
    }
    arrange(
      list,
      next.flatMap(({ id }) => cards.get(id)?.item ?? []),
    );
    others.show(edits.filter((edit) => !cards.has(edit.id)));
  }

  function newCard(id: string): VisitCard {
    const card = createVisitCard(`${user}-${id}`, {
      save: async (fields) => void (await client.collection('visits').patch(id, fields)),
      ...actions,
    });
    cards.set(id, card);
    return card;
  }

  async function showEdits(status: SyncStatus): Promise<void> {
    setText(state, stateOf(status, airplane.isOn()));
    edits = await client.outbox.list();
    show();
    const count = edits.filter(needsSomebody).length;
    setText(decide, count === 1 ? 'One edit needs you: show it' : `${count} edits need you: show the first`);
    decide.hidden = count === 0;
    asks(count);
  }

  decide.addEventListener('click', () => {
    const first = edits.find(needsSomebody);
    const card = first === undefined ? undefined : cards.get(first.id);
    if (card === undefined) others.place.querySelector('button')?.focus();
    else card.goTo();
  });
  plane.addEventListener('click', () => {
    airplane.set(!airplane.isOn());
    plane.setAttribute('aria-pressed', String(airplane.isOn()));
    panel.classList.toggle('offline', airplane.isOn());
    setText(state, stateOf(client.status.get(), airplane.isOn()));
  });
  client.collection('visits').observeList((records) => {
    visits = records;
    void showEdits(client.status.get());
  });
  client.collection('patients').observeList((records) => {
    for (const { id, fields } of records) patients.set(id, `${fields.firstName} ${fields.lastName}`);
    show();
  });
  client.status.observe((status) => void showEdits(status));
  client.start();
  return panel;
}

function stateOf(status: SyncStatus, isOffline: boolean): string {
  const waiting = status.pendingCount === 0 ? 'nothing waits' : `${status.pendingCount} waiting`;
  const synced = status.lastSyncedAtMs === null ? 'not synced yet' : `synced ${timeOf(status.lastSyncedAtMs)}`;
  if (isOffline) return `airplane mode · ${synced} · ${waiting}`;
  if (!status.isConnected) return `no connection · ${synced} · ${waiting}`;
  return `${status.isSyncing ? 'syncing' : 'online'} · ${synced} · ${waiting}`;
}
