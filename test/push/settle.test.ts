import type { Fields, RecordId, Seq, SourceKey } from '../../src/core/change.js';
import { renderBody } from '../../src/core/collection.js';
import type { LeasedIntent } from '../../src/core/outbox-port.js';
import type { RecordView } from '../../src/core/record-port.js';
import { settleApplied, settleParked, settleRefused, type Applied, type Refusal } from '../../src/push/settle.js';
import { hashText } from '../../src/server/telemetry.js';
import { visitsCollection } from './pushing-clinic.js';

const VISITS = visitsCollection();
const DEVICE = 'device:nurse/phone';
const KNOWN: Fields = { note: 'as planned', status: 'OPEN', route: '7', number: 1 };

const view = (more: Partial<RecordView> = {}): RecordView => ({
  collection: 'visits',
  id: '17' as RecordId,
  sourceKey: '17' as SourceKey,
  seq: 10 as Seq,
  mark: 3,
  deleted: false,
  body: renderBody(VISITS, KNOWN),
  vis: null,
  pending: false,
  aliasOf: null,
  sourceVersion: 'v1',
  hash: 'h',
  stamps: {},
  scopes: [],
  written: 0 as Seq,
  changedAtMs: 0,
  intents: [],
  ...more,
});
const intentOf = (fields: Fields, more: Partial<LeasedIntent> = {}): LeasedIntent =>
  ({
    intentNo: 5,
    fence: 2,
    device: { tenant: 'clinic', user: 'nurse', device: 'phone' },
    changeId: 'c1',
    kind: 'UPSERT',
    fields: JSON.stringify(fields),
    baseSeq: 8,
    seq: 9,
    ...more,
  }) as LeasedIntent;

interface Call extends Partial<Omit<Applied, 'observation'>> {
  readonly shown: Fields | null;
}

/** What is written when the source took it. */
function applied(pushed: Fields, { shown, ...more }: Call, of = view(), intent = intentOf(pushed)) {
  const write = { kind: 'update', sourceKey: of.sourceKey, fields: pushed } as const;
  const observation = shown === null ? null : { sourceKey: '17' as SourceKey, fields: shown, sourceVersion: 'v2' };
  return settleApplied(VISITS, of, intent, { write, observation, status: 'APPLIED', ...more }, hashText);
}

function refused(refusal: Partial<Refusal>, of = view(), intent = intentOf({ note: 'mine', status: 'DONE' })) {
  const error = { code: 'SOURCE_REFUSED', message: 'no', field: null, retryable: false } as const;
  return settleRefused(VISITS, of, intent, { status: 'REJECTED', error, by: 'source', ...refusal });
}

describe('F3: the stamps of a change that the source took', () => {
  test('date its values back to its overlay, since whoever saw that has seen them', () => {
    expect(applied({ note: 'mine' }, { shown: { ...KNOWN, note: 'mine' } })?.stamps).toEqual([
      { fields: ['note'], writer: DEVICE, at: 9 },
    ]);
    const hidden = intentOf({ note: 'mine' }, { seq: null });
    expect(applied({ note: 'mine' }, { shown: null }, view(), hidden)?.stamps).toEqual([
      { fields: ['note'], writer: DEVICE, at: null },
    ]);
  });

  test('date what the source made of a value from now', () => {
    const shown = { ...KNOWN, note: 'MINE', status: 'DONE' };
    expect(applied({ note: 'mine', status: 'DONE' }, { shown })?.stamps).toEqual([
      { fields: ['status'], writer: DEVICE, at: 9 },
      { fields: ['note'], writer: DEVICE, at: null },
    ]);
  });

  test('name the source for what a later look shows otherwise: it may be anybody’s', () => {
    const shown = { ...KNOWN, note: 'theirs', status: 'DONE' };
    expect(applied({ note: 'mine', status: 'DONE' }, { shown, isLater: true })?.stamps).toEqual([
      { fields: ['status'], writer: DEVICE, at: 9 },
      { fields: ['note'], writer: 'source', at: null },
    ]);
  });

  test('name the source for what was not sent, and for what else moved', () => {
    const write = { kind: 'update', sourceKey: '17' as SourceKey, fields: { status: 'DONE' } } as const;
    const shown = { ...KNOWN, note: 'theirs', status: 'DONE', number: 2 };
    const intent = intentOf({ note: 'mine', status: 'DONE' });
    const settled = applied({}, { shown, write, status: 'MERGED' }, view(), intent);
    expect(settled?.stamps).toEqual([
      { fields: ['status'], writer: DEVICE, at: 9 },
      { fields: ['note', 'number'], writer: 'source', at: null },
    ]);
    expect(settled?.settlement).toMatchObject({ status: 'MERGED', inEffect: true, intent: { intentNo: 5, fence: 2 } });
  });

  test('of a deletion are the device’s, for every field', () => {
    const gone = intentOf({}, { kind: 'DELETE' });
    const write = { kind: 'delete', sourceKey: '17' as SourceKey, fields: {} } as const;
    const settled = applied({}, { shown: null, write }, view(), gone);
    expect(settled?.stamps).toEqual([{ fields: ['*'], writer: DEVICE, at: null }]);
    expect(settled?.next).toMatchObject({ deleted: true, hash: null, sourceVersion: null, scopes: [] });
    // R15: what was read before is older.
    expect(settled?.next?.throughUs).toBe(true);
  });

  test('of a record that is made again name every field: nobody has seen it', () => {
    const write = { kind: 'create', sourceKey: null, fields: { ...KNOWN, note: 'mine' } } as const;
    const shown = { ...KNOWN, note: 'mine' };
    const settled = applied({}, { shown, write }, view({ deleted: true }), intentOf({ note: 'mine' }));
    const stamped = settled?.stamps?.flatMap(({ fields }) => fields).sort();
    expect(stamped).toEqual(Object.keys(KNOWN).sort());
    expect(settled?.next).toMatchObject({ deleted: false, throughUs: true, sourceVersion: 'v2' });
    // What the source fills in by itself is its own, although the tombstone had the same.
    const rest = { kind: 'create', sourceKey: null, fields: { note: 'mine', route: '7' } } as const;
    const filled = applied({}, { shown, write: rest }, view({ deleted: true }), intentOf({ note: 'mine', route: '7' }));
    expect(filled?.stamps).toContainEqual({ fields: ['status', 'number'], writer: 'source', at: null });
  });
});

test('R12: a create that is answered without a key settles nothing', () => {
  const write = { kind: 'create', sourceKey: null, fields: KNOWN } as const;
  expect(applied({}, { shown: null, write }, view({ sourceKey: null, body: null }))).toBeNull();
});

describe('F3: a change that falls', () => {
  test('by the source’s word stamps its fields as its device’s, and the record is sent again', () => {
    const write = refused({});
    expect(write.stamps).toEqual([{ fields: ['note', 'status'], writer: DEVICE, at: null }]);
    expect(write.next).toMatchObject({ body: renderBody(VISITS, KNOWN), vis: null, throughUs: false });
    expect(write.settlement).toMatchObject({ status: 'REJECTED', inEffect: false });
  });

  test('by the source’s word leaves fields that its device has not seen to the source', () => {
    const moved = view({ stamps: { note: { seq: 9 as Seq, writer: 'source' } } });
    expect(refused({}, moved).stamps).toEqual([
      { fields: ['status'], writer: DEVICE, at: null },
      { fields: ['note'], writer: 'source', at: null },
    ]);
  });

  test('by policy leaves all of them to the source, and is kept as it was pushed', () => {
    const write = refused({ status: 'CONFLICT', by: 'policy', conflicting: ['note'] });
    expect(write.stamps).toEqual([{ fields: ['note', 'status'], writer: 'source', at: null }]);
    expect(JSON.parse(write.settlement?.kept ?? '')).toMatchObject({ fields: { note: 'mine' }, conflicting: ['note'] });
  });

  test('stamps every field where it was a deletion', () => {
    const gone = intentOf({}, { kind: 'DELETE' });
    const every = { fields: ['note', 'status', 'route', 'number'], at: null };
    expect(refused({}, view(), gone).stamps).toEqual([{ ...every, writer: DEVICE }]);
    expect(refused({ by: 'policy' }, view(), gone).stamps).toEqual([{ ...every, writer: 'source' }]);
  });

  test('leaves a tombstone of a create that was shown, and nothing of one that was not', () => {
    const create = { sourceKey: null, body: null, vis: '{}', hash: null, sourceVersion: null };
    expect(refused({}, view(create)).next).toMatchObject({ deleted: true, body: null, vis: null, scopes: [] });
    expect(refused({}, view({ ...create, seq: 0 as Seq }))).not.toHaveProperty('next');
  });

  test('sends nothing of a record that is gone', () => {
    for (const gone of [view({ deleted: true }), view({ deleted: true, body: null })]) {
      const write = refused({ by: 'policy', status: 'CONFLICT' }, gone);
      expect(write).not.toHaveProperty('next');
      expect(write).not.toHaveProperty('stamps');
      expect(write.settlement).toMatchObject({ status: 'CONFLICT' });
    }
  });
});

test('R11: a parked change is in effect for nobody, and the record stays as it is', () => {
  const write = settleParked(view(), intentOf({ note: 'mine' }), 'clinic: connection reset');
  expect(write).not.toHaveProperty('next');
  expect(write.settlement).toMatchObject({ status: 'PARKED', inEffect: false, error: { code: 'OUTCOME_UNKNOWN' } });
});
