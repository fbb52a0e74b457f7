import fc from '../support/properties.js';
import type { Fields, RecordId, SourceKey } from '../../src/core/change.js';
import { renderBody, type Collection } from '../../src/core/collection.js';
import { idOfSourceKey, lifeOf, sourceKey, sourceKeyParts } from '../../src/core/id.js';
import { nextState, scopesOfPending } from '../../src/core/overlay.js';
import type { OpenIntent, RecordView } from '../../src/core/record-port.js';
import {
  idsSeen,
  incomingBy,
  outgoingBy,
  referenceName,
  referencesIn,
  withReferences,
} from '../../src/core/reference.js';

const UUID = '2b1c6f0e-6f6b-4c59-9d0b-8f6a3f1d2e4c';
const field = { list: false, required: false, writable: true } as const;
const VISITS: Collection = {
  name: 'visits',
  type: 'Visit',
  source: 'clinic',
  fields: [
    { ...field, name: 'note', type: 'string' },
    { ...field, name: 'patient', type: 'reference', references: 'patients' },
    { ...field, name: 'route', type: 'reference', references: 'routes' },
    { ...field, name: 'supplies', type: 'reference', references: 'supplies', list: true },
  ],
  policy: 'mergeFields',
  writes: { create: true, update: true, delete: true },
  scopesOf: (fields) => [`route:${String(fields['route'] ?? 'none')}`, 'region:4'],
};
const AUTHOR = { tenant: 'clinic', user: 'nurse', device: 'tablet' };

const view = (more: Partial<RecordView>): RecordView =>
  ({
    collection: 'patients',
    sourceKey: null,
    deleted: false,
    body: null,
    vis: null,
    intents: [],
    ...more,
  }) as RecordView;
const patient = (target: string): string => referenceName({ collection: 'patients', target });
const intent = (fields: Fields, seq: number | null): OpenIntent =>
  ({ kind: 'UPSERT', fields: JSON.stringify(fields), seq, device: AUTHOR }) as OpenIntent;

describe('references', () => {
  test('R12: are found in single fields and in lists', () => {
    expect(referencesIn(VISITS, { note: 'n', patient: '7', supplies: ['a', 'b'], route: null })).toEqual([
      { field: 'patient', collection: 'patients', target: '7' },
      { field: 'supplies', collection: 'supplies', target: 'a' },
      { field: 'supplies', collection: 'supplies', target: 'b' },
    ]);
  });

  test('R12: one that is taken away leaves its list, or its field', () => {
    const fields = { note: 'n', patient: '7', supplies: ['a', 'b'] };
    const kept = withReferences(VISITS, fields, ({ target }) => (target === 'b' ? target : null));
    expect(kept).toEqual({ note: 'n', supplies: ['b'] });
    expect(withReferences(VISITS, fields, ({ target }) => target)).toBe(fields);
  });

  test('R12: go out as the ids of the map, else as the key gives it, and nothing is made anew where nothing differs', () => {
    const outgoing = outgoingBy(VISITS, new Map([[patient('7'), UUID as RecordId]]));
    expect(outgoing({ patient: '7', supplies: ['7'] })).toEqual({ patient: UUID, supplies: ['7'] });
    expect(outgoing({ patient: '8', supplies: ['7'] })).toBeNull();
  });

  test('F21: come in as keys; one without a key stays an id, and its field is unmapped', () => {
    const records = new Map([
      [patient(UUID), view({ sourceKey: '7' as SourceKey })],
      [referenceName({ collection: 'routes', target: UUID }), view({})],
    ]);
    expect(incomingBy(VISITS, records)({ patient: UUID, route: UUID, supplies: ['a'] })).toEqual({
      fields: { patient: '7', route: UUID, supplies: ['a'] },
      unmapped: ['route'],
    });
    // What no device made is taken for a key, known or not.
    const nobody = new Map([[referenceName({ collection: 'routes', target: '9?' }), view({})]]);
    expect(incomingBy(VISITS, nobody)({ route: '9?' })).toEqual({ fields: { route: '9?' }, unmapped: [] });
  });

  test('R12: a record itself tells which ids are behind its references, but not below an overlay', () => {
    const body = renderBody(VISITS, { patient: '7', route: '1', supplies: ['a'] });
    const vis = renderBody(VISITS, { patient: UUID, route: '2', supplies: ['a'] });
    const seen = idsSeen(VISITS, { body, vis, deleted: false, intents: [intent({ route: '2' }, 5)] });
    expect(Object.fromEntries(seen)).toEqual({ [patient('7')]: UUID, 'supplies a': 'a' });
    const last = { body, vis: null, intents: [] };
    expect(idsSeen(VISITS, { ...last, deleted: false }).get(patient('7'))).toBe('7');
    expect(idsSeen(VISITS, { ...last, deleted: true }).size).toBe(0);
  });

  test('R12: what goes out comes in again as it was, whatever the map', () => {
    const text = fc.string({ minLength: 1, maxLength: 6 });
    const key = fc.array(fc.oneof(text, fc.integer()), { minLength: 1, maxLength: 3 }).map(sourceKey);
    const state = fc.record({ patient: key, supplies: fc.array(key, { maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.uuid()), { maxLength: 4 }), state, (pairs, fields) => {
        const ids = new Map([...new Map(pairs)].map(([one, id]) => [patient(one), id as RecordId]));
        const records = new Map(
          [...new Map(pairs)].map(([one, id]) => [patient(id), view({ sourceKey: one })] as const),
        );
        const out = outgoingBy(VISITS, ids)(fields) ?? fields;
        expect(incomingBy(VISITS, records)(out)).toEqual({ fields, unmapped: [] });
      }),
    );
  });
});

describe('an id', () => {
  test('F20: of a source-born record is a pure function of its key, and gives the key back', () => {
    const part = fc.oneof(fc.string({ minLength: 1, unit: 'grapheme' }), fc.integer());
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 99 }), (parts, life) => {
        const key = sourceKey(parts);
        expect(sourceKeyParts(key)).toEqual(parts.map(String));
        expect(lifeOf(idOfSourceKey(key, life), key)).toBe(life);
      }),
    );
  });

  test('F20: of a reused key is no id of any other key', () => {
    expect(idOfSourceKey('7' as SourceKey, 2)).toBe('7~2');
    expect(sourceKey(['7~2'])).toBe('7%7E2');
    expect(lifeOf(UUID as RecordId, '7' as SourceKey)).toBe(0);
    expect(lifeOf('7~x' as RecordId, '7' as SourceKey)).toBe(0);
  });
});

describe('the scopes of a record that its source does not have yet', () => {
  test('F21: are those of its keys, and the hidden one of its device for what a reference without a key would give', () => {
    const unmapped = { fields: { note: 'n', route: UUID }, unmapped: ['route'] };
    expect(scopesOfPending(VISITS, unmapped, AUTHOR)).toEqual(['region:4', 'device:nurse/tablet']);
    expect(scopesOfPending(VISITS, { fields: { route: '7' }, unmapped: [] }, AUTHOR)).toEqual(['region:4', 'route:7']);
    const other = { fields: { patient: UUID, route: '7' }, unmapped: ['patient'] };
    expect(scopesOfPending(VISITS, other, AUTHOR)).toEqual(['region:4', 'route:7']);
  });

  test('F21: are used where its overlay is taken', () => {
    const records = new Map([[referenceName({ collection: 'routes', target: UUID }), view({})]]);
    const mapping = { outgoing: () => null, incoming: incomingBy(VISITS, records) };
    const layer = { sourceKey: null, deleted: false, body: null, sourceVersion: null, hash: null, throughUs: false };
    const next = nextState(VISITS, layer, [intent({ note: 'n', route: UUID }, 5)], mapping);
    expect(next).toMatchObject({ pending: true, scopes: ['region:4', 'device:nurse/tablet'] });
    expect(JSON.parse(next.vis ?? '')).toMatchObject({ route: UUID });
    const others = { ...intent({ note: 'of another' }, 6), device: { ...AUTHOR, device: 'phone' } };
    const edited = nextState(VISITS, layer, [intent({ note: 'n', route: UUID }, 5), others], mapping);
    expect(edited).toMatchObject({ scopes: ['region:4', 'device:nurse/tablet'] });
  });
});
