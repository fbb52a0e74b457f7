import type { SourceKey } from '../../src/core/change.js';
import type { OpenIntent, RecordView } from '../../src/core/record-port.js';
import { awaitedOf, parentOf, type Parent } from '../../src/push/parent.js';

const intent = (intentNo: number, kind: OpenIntent['kind'] = 'UPSERT'): OpenIntent =>
  ({ intentNo, kind }) as OpenIntent;
const record = (more: Partial<RecordView>): RecordView =>
  ({ sourceKey: null, seq: 0, mark: 0, body: null, deleted: false, intents: [], ...more }) as RecordView;

const KEYED = { sourceKey: '7' as SourceKey, body: '{}', seq: 4 as RecordView['seq'] };
const GONE = { ...KEYED, deleted: true };

describe('F18: what a record has for intent 10, which refers to it', () => {
  const cases: readonly (readonly [string, Partial<RecordView>, Parent])[] = [
    ['its key', KEYED, { kind: 'key', key: '7' as SourceKey }],
    [
      'its key, whatever else becomes of it',
      { ...KEYED, intents: [intent(4)] },
      { kind: 'key', key: '7' as SourceKey },
    ],
    ['a create before', { mark: 1, intents: [intent(4)] }, { kind: 'earlier', waitsFor: 4 }],
    [
      'a create before, not what follows that',
      { mark: 2, intents: [intent(4), intent(5)] },
      { kind: 'earlier', waitsFor: 4 },
    ],
    ['a deletion before', { ...KEYED, intents: [intent(4), intent(5, 'DELETE')] }, { kind: 'earlier', waitsFor: 5 }],
    [
      'two deletions before',
      { ...KEYED, intents: [intent(4, 'DELETE'), intent(5, 'DELETE')] },
      { kind: 'earlier', waitsFor: 5 },
    ],
    ['a deletion after', { ...KEYED, intents: [intent(12, 'DELETE')] }, { kind: 'key', key: '7' as SourceKey }],
    ['a create after', { mark: 1, intents: [intent(12)] }, { kind: 'later' }],
    ['an end', GONE, { kind: 'gone' }],
    ['an end, until it is made again', { ...GONE, intents: [intent(4)] }, { kind: 'earlier', waitsFor: 4 }],
    ['an end, though it is made again after', { ...GONE, intents: [intent(12)] }, { kind: 'gone' }],
    ['a create that was refused', { mark: 2 }, { kind: 'refused' }],
    ['nothing', {}, { kind: 'unknown' }],
  ];
  test.each(cases)('%s', (_what, more, expected) => {
    expect(parentOf(record(more), 10)).toEqual(expected);
  });

  test('and what a new one would wait for', () => {
    expect(awaitedOf(record({ mark: 2, intents: [intent(4), intent(12)] }))?.intentNo).toBe(4);
    expect(awaitedOf(record({ ...KEYED, intents: [intent(4), intent(12, 'DELETE')] }))?.intentNo).toBe(12);
    expect(awaitedOf(record({ ...KEYED, intents: [intent(4)] }))).toBeNull();
  });
});
