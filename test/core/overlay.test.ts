import fc from '../support/properties.js';
import type { Fields, Seq, SourceKey } from '../../src/core/change.js';
import { parseBody, renderBody } from '../../src/core/collection.js';
import { asTheyAre, layerOf, nextState, type Laid } from '../../src/core/overlay.js';
import { targetOfNobody } from '../../src/core/reference.js';
import { visitsCollection } from '../push/pushing-clinic.js';

const VISITS = visitsCollection();
const BODY = renderBody(VISITS, { note: 'as planned', status: 'OPEN', route: '7', number: 1 });

const layer = (body: string | null, deleted = false) =>
  layerOf({ sourceKey: '17' as SourceKey, deleted, body, sourceVersion: 'v1', hash: 'h' });
const laid = (fields: Fields, seq: number | null = 5, kind: Laid['kind'] = 'UPSERT'): Laid => ({
  kind,
  device: { tenant: 'clinic', user: 'nurse', device: 'phone' },
  fields: JSON.stringify(fields),
  seq: seq as Seq | null,
});

describe('what devices see of a record', () => {
  test('is the state of the source when nothing is open', () => {
    expect(nextState(VISITS, layer(BODY), [])).toMatchObject({
      body: BODY,
      vis: null,
      pending: false,
      scopes: ['route:7'],
    });
  });

  test('R10: is the open changes laid over it in the order in which they were accepted, those that are shown only', () => {
    const intents = [laid({ note: 'a', status: 'DONE' }), laid({ note: 'b' }), laid({ note: 'hidden' }, null)];
    const { vis, pending } = nextState(VISITS, layer(BODY), intents);
    expect({ fields: parseBody(vis ?? ''), pending }).toMatchObject({
      fields: { note: 'b', status: 'DONE' },
      pending: true,
    });
  });

  test('is not pending for a change that is not shown yet', () => {
    expect(nextState(VISITS, layer(BODY), [laid({ note: 'a' }, null)])).toMatchObject({ vis: null, pending: false });
  });

  test('is the state of the source only, whatever is open, where the collection shows confirmed states', () => {
    const confirmed = { ...VISITS, visibility: 'confirmed' } as const;
    expect(nextState(confirmed, layer(BODY), [laid({ note: 'mine' })])).toMatchObject({ vis: null, pending: false });
    const create = nextState(confirmed, layerOf({ ...layer(null), sourceKey: null }), [
      laid({ note: 'n', route: '7' }),
    ]);
    expect(create).toMatchObject({ vis: null, pending: false, scopes: [] });
  });

  test('F8: is the record itself, marked, while a DELETE is open', () => {
    expect(nextState(VISITS, layer(BODY), [laid({}, 5, 'DELETE')])).toMatchObject({
      vis: null,
      pending: true,
      deleted: false,
    });
  });

  test('is nothing of a record that is gone, whatever is open', () => {
    const gone = nextState(VISITS, layer(BODY, true), [laid({ note: 'a' })]);
    expect(gone).toMatchObject({ deleted: true, vis: null, pending: false, scopes: [] });
  });

  test('shows ids where the source has keys, also without a change', () => {
    const { vis, body, pending } = nextState(VISITS, layer(BODY), [], {
      ...asTheyAre,
      outgoing: (fields) => ({ ...fields, route: 'seven' }),
    });
    expect({ route: parseBody(vis ?? '')['route'], body, pending }).toEqual({
      route: 'seven',
      body: BODY,
      pending: false,
    });
  });

  test('R13: is not a reference to a record that its author cannot see: what the source has stays in view', () => {
    const reference = { name: 'patient', type: 'reference', references: 'patients', list: false } as const;
    const referring = {
      ...VISITS,
      fields: [...VISITS.fields, { ...reference, required: false, writable: true }],
    };
    const body = renderBody(referring, { note: 'as planned', route: '7', patient: '1' });
    const { vis, pending } = nextState(referring, layer(body), [laid({ note: 'a', patient: targetOfNobody('2') })]);
    expect({ ...parseBody(vis ?? ''), pending }).toMatchObject({ note: 'a', patient: '1', pending: true });
    const made = nextState(referring, layer(null), [laid({ route: '7', patient: targetOfNobody('2') })]);
    expect(parseBody(made.vis ?? '')).toMatchObject({ route: '7', patient: null });
  });

  test('R4: is in the scopes of the source, or of its own while the source does not have it', () => {
    expect(nextState(VISITS, layer(BODY), [laid({ route: '8' })]).scopes).toEqual(['route:7']);
    expect(nextState(VISITS, layer(null), [laid({ route: '8' })]).scopes).toEqual(['route:8']);
  });

  test('R10: for all open changes: the text is null exactly when it would be the source’s own, and has every field', () => {
    const value = fc.option(fc.string(), { nil: null });
    const fields = fc.record({ note: value, status: value }, { requiredKeys: [] });
    const intents = fc.array(fc.tuple(fields, fc.boolean(), fc.constantFrom('UPSERT' as const, 'DELETE' as const)));
    fc.assert(
      fc.property(intents, (made) => {
        const open = made.map(([one, isShown, kind]) => laid(kind === 'DELETE' ? {} : one, isShown ? 5 : null, kind));
        const { vis, pending } = nextState(VISITS, layer(BODY), open);
        const shown = open.filter(({ seq }) => seq !== null);
        const expected = Object.assign(
          parseBody(BODY),
          ...shown.map((one) => JSON.parse(one.fields) as Fields),
        ) as Fields;
        const text = renderBody(VISITS, expected);
        expect(vis).toBe(text === BODY ? null : text);
        expect(pending).toBe(shown.length > 0);
      }),
    );
  });
});
