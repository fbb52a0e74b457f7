import { AUDITED, auditText, checkChain, placeText, type AuditPage, type AuditRow } from '../../src/core/audit.js';
import { hashText } from '../../src/server/telemetry.js';
import fc from '../support/properties.js';

const TENANT = 'clinic';
const START = { no: 0, hash: '' };

type Told = Pick<AuditRow, 'user' | 'device' | 'action' | 'collection' | 'subject' | 'outcome' | 'count' | 'outcomeOf'>;

/** Few texts, so that neighbours are often alike. */
const text = fc.constantFrom('', 'a', ':', '1:a,', '-,', 'nurse', '👍');
const orNull = fc.option(text, { nil: null });
const told: fc.Arbitrary<Told> = fc.record({
  ...{ user: orNull, device: orNull, action: text, collection: orNull, subject: orNull, outcome: text },
  count: fc.integer({ min: 1, max: 3 }),
  outcomeOf: fc.option(fc.integer({ min: 1, max: 3 }), { nil: null }),
});
const chains = fc.array(told, { minLength: 1, maxLength: 8 }).map((rows) => chainOf(rows));

function chainOf(rows: readonly Told[], anchor = START): AuditPage {
  const chain: AuditRow[] = [];
  for (const row of rows) {
    const last = chain.at(-1) ?? anchor;
    chain.push(hashed({ ...row, no: last.no + 1, at: '2026-01-05T08:00:00.000Z', previous: last.hash }));
  }
  const { no, hash } = chain.at(-1) ?? anchor;
  return { anchor, head: { no, hash }, rows: chain };
}

function hashed(row: Omit<AuditRow, 'hash'>): AuditRow {
  return { ...row, hash: hashText(auditText(TENANT, row)) };
}

function faultOf(page: AuditPage, noted: AuditPage['head'] | null = null, tenant = TENANT): string | null {
  const check = checkChain(tenant, page, hashText, noted);
  for (const row of page.rows) {
    const fault = check.take(row);
    if (fault !== null) return fault;
  }
  return check.end();
}

const without = (page: AuditPage, at: number): AuditPage => ({ ...page, rows: page.rows.toSpliced(at, 1) });

describe('attack 36: of every chain of the audit log', () => {
  test('what was appended fits, from its beginning and from any anchor that a row names', () => {
    fc.assert(
      fc.property(chains, fc.nat(), (page, cut) => {
        expect(faultOf(page, page.head)).toBeNull();
        const at = cut % page.rows.length;
        const { no, hash } = page.rows[at] as AuditRow;
        const anchor = { no, hash };
        const forget = { ...(page.rows[0] as AuditRow), action: AUDITED.forget, subject: placeText(anchor) };
        const kept = chainOf([...page.rows.slice(at + 1), forget], anchor);
        expect(faultOf(kept, anchor)).toBeNull();
      }),
    );
  });

  test('an edited value is told, with the row that has it', () => {
    const column = fc.constantFrom<keyof AuditRow>(
      'at',
      'user',
      'device',
      'action',
      'collection',
      'subject',
      'outcome',
    );
    fc.assert(
      fc.property(chains, fc.nat(), column, orNull, (page, place, name, value) => {
        const at = place % page.rows.length;
        const row = page.rows[at] as AuditRow;
        fc.pre(row[name] !== value);
        const edited = { ...page, rows: page.rows.with(at, { ...row, [name]: value }) };
        expect(faultOf(edited)).toBe(`row ${at + 1} was changed: its hash is another`);
      }),
    );
  });

  test('what moves from one value to the next gives another text', () => {
    fc.assert(
      fc.property(told, text, text, text, (row, one, two, three) => {
        const texts = [
          { ...row, user: `${one},${two}`, device: three },
          { ...row, user: one, device: `${two},${three}` },
        ].map((moved) => auditText(TENANT, { ...moved, no: 1, at: '', previous: '' }));
        expect(texts[0] === texts[1]).toBe(one === `${one},${two}`);
      }),
    );
  });

  test('an edited row with a hash of its own is told by the row after it, or by the head', () => {
    fc.assert(
      fc.property(chains, fc.nat(), (page, place) => {
        const at = place % page.rows.length;
        const row = hashed({ ...(page.rows[at] as AuditRow), user: 'somebody else' });
        const fault = faultOf({ ...page, rows: page.rows.with(at, row) });
        const isLast = at === page.rows.length - 1;
        expect(fault).toMatch(isLast ? /^row \d+ has the hash .* as it was noted$/ : /^row \d+ does not follow on row/);
        expect(fault).toContain(`row ${isLast ? at + 1 : at + 2} `);
      }),
    );
  });

  test('a row that is missing is told, wherever it was', () => {
    fc.assert(
      fc.property(chains, fc.nat(), (page, place) => {
        const at = place % page.rows.length;
        const expected =
          at === page.rows.length - 1 ? `rows ${at + 1} to ${at + 1} are missing` : `row ${at + 1} is missing`;
        expect(faultOf(without(page, at))).toContain(expected);
      }),
    );
  });

  test('a tail that went together with the head is told by a head that was noted', () => {
    fc.assert(
      fc.property(chains, (page) => {
        const shorter = chainOf(page.rows.slice(0, -1));
        expect(faultOf(shorter)).toBeNull();
        expect(faultOf(shorter, page.head)).toContain('are missing at the end');
      }),
    );
  });

  test('a beginning that went with an anchor set anew is told: no row says that it was forgotten', () => {
    fc.assert(
      fc.property(chains, (page) => {
        const [first] = page.rows as [AuditRow];
        fc.pre(page.rows.every(({ action }) => action !== AUDITED.forget));
        const anchored = { ...page, anchor: { no: 1, hash: first.hash }, rows: page.rows.slice(1) };
        expect(faultOf(anchored)).toBe('rows up to 1 are missing, and no row says that they were forgotten by age');
      }),
    );
  });

  test('the chain of another tenant does not fit', () => {
    fc.assert(fc.property(chains, (page) => expect(faultOf(page, null, 'south')).toContain('row 1 was changed')));
  });
});

test('a chain that was made anew fits, but for a head that was noted; one that was noted long ago is told as forgotten', () => {
  const row: Told = {
    ...{ user: 'a', device: null, action: 'b', collection: null, subject: null, outcome: 'DONE' },
    count: 1,
    outcomeOf: null,
  };
  const page = chainOf([row, row]);
  const anew = chainOf([row, { ...row, user: 'c' }]);
  expect(faultOf(anew)).toBeNull();
  expect(faultOf(anew, page.head)).toContain(`row 2 has the hash ${anew.head.hash}, expected ${page.head.hash}`);
  const anchor = page.head;
  const kept = chainOf([{ ...row, action: AUDITED.forget, subject: placeText(anchor) }], anchor);
  expect(faultOf(kept, { no: 1, hash: page.rows[0]?.hash ?? '' })).toContain(
    'row 1, which was noted, is forgotten by age',
  );
});
