import { randomUUID } from 'node:crypto';
import type { Fields, RecordId } from '../../src/core/change.js';
import type { Collection } from '../../src/core/collection.js';
import type { RecordView } from '../../src/core/record-port.js';
import { changesInTurn, type Waiting } from '../../src/push/accept-order.js';
import type { CheckedChange } from '../../src/push/pushed-change.js';
import { queueByRecord } from '../../src/push/record-queue.js';

const reference = { type: 'reference', writable: true, list: false, required: false } as const;
const declared = (name: string, fields: readonly Partial<Collection['fields'][number]>[]): Collection => ({
  name,
  type: name,
  source: 'clinic',
  fields: fields.map((field) => ({ ...reference, name: 'to', ...field })),
  policy: 'mergeFields',
  writes: { create: true, update: true, delete: true },
  scopesOf: () => ['all'],
});
const BADGES = declared('badges', [{ references: 'people', required: true }]);
const TEAMS = declared('teams', [{ references: 'people', required: true, list: true }]);
const PEOPLE = declared('people', [
  { references: 'badges' },
  { name: 'team', references: 'teams' },
  { name: 'boss', references: 'people' },
]);

const [A, B] = [randomUUID(), randomUUID()];

/** Creates that wait, in this order. */
function turnsOf(...creates: readonly (readonly [Collection, string, Fields])[]): readonly string[] {
  const queue = queueByRecord<Waiting>();
  for (const [collection, id, fields] of creates) {
    const named = { changeId: `create-${id}`, collection, id: id as RecordId };
    queue.add(named, { named, checked: { ...named, fields } as CheckedChange });
    queue.see({ collection: collection.name, id, body: null, intents: [] } as unknown as RecordView);
  }
  return changesInTurn(queue).map(({ view }) => view.id);
}

describe('F18: within one push', () => {
  test('creates come before what refers to them', () => {
    expect(turnsOf([BADGES, A, { to: B }], [PEOPLE, B, {}])).toEqual([B]);
  });

  test('what refers to itself, or to nothing that is made here, waits for nobody', () => {
    expect(turnsOf([PEOPLE, A, { boss: A }], [PEOPLE, B, { boss: randomUUID() }])).toEqual([A, B]);
  });

  test('a ring is begun by the one that can do without its reference, wherever it stands', () => {
    expect(turnsOf([BADGES, A, { to: B }], [PEOPLE, B, { to: A }])).toEqual([B]);
    expect(turnsOf([PEOPLE, B, { to: A }], [BADGES, A, { to: B }])).toEqual([B]);
  });

  test('one of a list can be done without, also of a required one', () => {
    expect(turnsOf([TEAMS, A, { to: [B] }], [PEOPLE, B, { team: A }])).toEqual([A]);
  });

  test('a ring of none that can is begun by its first: it cannot be told here that it fails', () => {
    const strict = declared('people', [{ references: 'badges', required: true }]);
    expect(turnsOf([BADGES, A, { to: B }], [strict, B, { to: A }])).toEqual([A]);
  });
});
