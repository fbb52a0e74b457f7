import type { Fields, SourceKey } from '../../src/core/change.js';
import type { Collection } from '../../src/core/collection.js';
import type { Observation } from '../../src/core/source-port.js';
import type { NotedCall } from '../../src/push/noted-call.js';
import { judgeRead } from '../../src/push/read-back.js';

const sent = (more: Partial<NotedCall>): NotedCall => ({
  kind: 'update',
  sourceKey: '17' as SourceKey,
  fields: { note: 'mine' },
  status: 'APPLIED',
  madeOn: 'v1',
  sentAtMs: 0,
  staleAnswers: 0,
  ...more,
});
const shown = (fields: Fields | null, sourceVersion: string | null): Observation => ({
  sourceKey: '17' as SourceKey,
  fields,
  sourceVersion,
});
/** As it is declared: nothing of it stands for values. */
const COLLECTION: Collection = {
  name: 'visits',
  type: 'Visit',
  source: 'clinic',
  fields: [],
  policy: 'mergeFields',
  writes: { create: true, update: true, delete: true },
  scopesOf: () => ['all'],
};
const MINE = { note: 'mine', status: 'OPEN' };
const THEIRS = { note: 'theirs', status: 'OPEN' };

describe('F4: what a read says of a call', () => {
  const cases: readonly (readonly [string, NotedCall, Observation | 'absent', string])[] = [
    ['an update in another version, all as sent', sent({}), shown(MINE, 'v2'), 'applied'],
    ['an update in the version that it was made on', sent({}), shown(THEIRS, 'v1'), 'notApplied'],
    ['that version, though it looks as sent', sent({}), shown(MINE, 'v1'), 'notApplied'],
    ['an update in another version, not as sent', sent({}), shown(THEIRS, 'v2'), 'undecided'],
    ['an update without versions, as sent', sent({ madeOn: null }), shown(MINE, null), 'applied'],
    ['an update without versions, not as sent', sent({ madeOn: null }), shown(THEIRS, null), 'undecided'],
    ['an update whose version is not known any more', sent({ madeOn: null }), shown(THEIRS, 'v2'), 'undecided'],
    ['an update of a record that is gone', sent({}), 'absent', 'undecided'],
    ['an update of a record that is flagged as deleted', sent({}), shown(null, 'v2'), 'undecided'],
    ['a create that is there as sent', sent({ kind: 'create', madeOn: null }), shown(MINE, 'v1'), 'applied'],
    ['a create that is not there', sent({ kind: 'create', madeOn: null }), 'absent', 'notApplied'],
    ['a create that is there otherwise', sent({ kind: 'create', madeOn: null }), shown(THEIRS, 'v3'), 'undecided'],
    ['a create that is there as deleted', sent({ kind: 'create', madeOn: null }), shown(null, 'v2'), 'undecided'],
    ['a deletion that is done', sent({ kind: 'delete', fields: {} }), 'absent', 'applied'],
    ['a deletion that is flagged', sent({ kind: 'delete', fields: {} }), shown(null, 'v2'), 'applied'],
    ['a deletion that is not done', sent({ kind: 'delete', fields: {} }), shown(THEIRS, 'v1'), 'notApplied'],
    ['a deletion of what moved', sent({ kind: 'delete', fields: {} }), shown(THEIRS, 'v2'), 'undecided'],
  ];
  test.each(cases)('%s', (_what, call, seen, verdict) => {
    expect(judgeRead(COLLECTION, call, seen).kind).toBe(verdict);
  });

  test('names the fields that are not as they were sent', () => {
    const call = sent({ fields: { note: 'mine', status: 'OPEN' } });
    expect(judgeRead(COLLECTION, call, shown(THEIRS, 'v2'))).toEqual({ kind: 'undecided', fields: ['note'] });
  });
});
