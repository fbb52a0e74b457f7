import { CallFault } from '../../src/connectors/fault.js';
import { readPages } from '../../src/connectors/page-reader.js';
import {
  keyset,
  link,
  misfitOfPaging,
  offset,
  page,
  withRows,
  type LoadPage,
  type Paging,
} from '../../src/connectors/paging.js';

interface Row {
  readonly id: string;
}

const VISITS: readonly Row[] = Array.from({ length: 10 }, (_, at) => ({ id: `V-${at}` }));

/** A source that answers each request from its list as `rowsOf` says. */
function source(
  rowsOf: (args: Readonly<Record<string, string | number>>) => readonly Row[],
  total: number | null = null,
) {
  const load: LoadPage = async (args) => ({ rows: rowsOf(args), total, more: null, next: null, serverTimeMs: null });
  return load;
}

async function idsOf(paging: Paging, load: LoadPage): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const answer of readPages(paging, load)) ids.push(...answer.rows.map((row) => (row as Row).id));
  return ids;
}

const BY_PAGE = page({ numberIn: 'page', size: 3 });
const BY_OFFSET = offset({ fromIn: 'from', size: 4, overlap: 1 });
const BY_ID = keyset({ by: 'id', afterIn: 'after', inclusive: true, size: 3 });

const honest: readonly (readonly [string, Paging, LoadPage])[] = [
  ['page', BY_PAGE, source(({ page: at = 1 }) => VISITS.slice((Number(at) - 1) * 3, Number(at) * 3))],
  ['offset with overlap', BY_OFFSET, source(({ from = 0 }) => VISITS.slice(Number(from), Number(from) + 4))],
  ['keyset', BY_ID, source(({ after = '' }) => VISITS.filter(({ id }) => id >= String(after)).slice(0, 3))],
];

test.each(honest)('R14: a scan by %s brings each record once', async (_kind, paging, load) => {
  expect(await idsOf(paging, load)).toEqual(VISITS.map(({ id }) => id));
});

test.each<[string, readonly unknown[], string | undefined]>([
  ['all', VISITS, 'bytes'],
  ['those at the end', VISITS.slice(-3), 'bytes-3'],
  ['none', [], 'bytes-0'],
  ['those at the beginning', VISITS.slice(0, 3), undefined],
  ['some between others', VISITS.filter((_row, at) => at % 2 === 1), undefined],
])('the digest of an answer tells which of its rows were taken: %s', (_which, rows, digest) => {
  const answer = { rows: VISITS, total: null, more: null, next: null, serverTimeMs: null, digest: 'bytes' };
  const taken = withRows(answer, rows);
  expect([taken.rows, taken.digest]).toEqual([rows, digest]);
});

test.each([
  ['page', BY_PAGE],
  ['offset', offset({ fromIn: 'from', size: 3 })],
  ['offset with overlap', offset({ fromIn: 'from', size: 3, overlap: 1 })],
  ['keyset', BY_ID],
])('R14: a source that ignores the parameter of %s gets no complete scan', async (_kind, paging) => {
  await expect(
    idsOf(
      paging,
      source(() => VISITS.slice(0, 3)),
    ),
  ).rejects.toThrow(/repeats/);
});

test('R14: a short page before the last one aborts the scan', async () => {
  const load = source(
    ({ page: at = 1 }) => [VISITS.slice(0, 3), VISITS.slice(3, 5), VISITS.slice(6, 9), []][Number(at) - 1] ?? [],
  );
  await expect(idsOf(BY_PAGE, load)).rejects.toThrow('page 2 is short and not the last one');
});

test('R14: a list that ends before its own total aborts the scan', async () => {
  const load = source(({ page: at = 1 }) => VISITS.slice((Number(at) - 1) * 3, Number(at) * 3), 12);
  await expect(idsOf(BY_PAGE, load)).rejects.toThrow('the list ended after 10 of 12 rows');
  await expect(
    idsOf(
      link(),
      source(() => VISITS, 12),
    ),
  ).rejects.toThrow(CallFault);
});

test('F14: records that are deleted on an earlier page move none past an edge with overlap', async () => {
  let list = VISITS;
  const load = source(({ from = 0 }) => {
    const rows = list.slice(Number(from), Number(from) + 4);
    list = list.filter(({ id }) => id !== 'V-0' && id !== 'V-1');
    return rows;
  });
  expect(await idsOf(BY_OFFSET, load)).toEqual(VISITS.map(({ id }) => id));
});

test('R14: a keyset of pages of one row goes on behind the row that comes again', async () => {
  const load = source(({ after = '', limit = 1 }) =>
    VISITS.filter(({ id }) => id >= String(after)).slice(0, Number(limit)),
  );
  const paging = keyset({ by: 'id', afterIn: 'after', inclusive: true, size: 1, sizeIn: 'limit' });
  expect(await idsOf(paging, load)).toEqual(VISITS.map(({ id }) => id));
});

test.each([1, 2])(
  'F14: a source that gives no more rows at once than an overlap of %d gets no complete scan',
  async (cap) => {
    const load = source(({ from = 0 }) => VISITS.slice(Number(from), Number(from) + cap));
    const paging = offset({ fromIn: 'from', size: 4, overlap: cap });
    await expect(idsOf(paging, load)).rejects.toThrow(`pages of ${cap} rows bring nothing behind an overlap of ${cap}`);
    expect(
      await idsOf(
        offset({ fromIn: 'from', size: 4, overlap: 1 }),
        source(({ from = 0 }) => VISITS.slice(Number(from), Number(from) + 2)),
      ),
    ).toHaveLength(10);
  },
);

test('F14: one page that is cut down to its overlap hides nothing, and a list that grew at its end is read on', async () => {
  let asked = 0;
  const cut = source(({ from = 0 }) => VISITS.slice(Number(from), Number(from) + (++asked === 2 ? 1 : 4)));
  expect(await idsOf(BY_OFFSET, cut)).toEqual(VISITS.map(({ id }) => id));
  let list = VISITS.slice(0, 4);
  const grown = source(({ from = 0 }) => {
    if (Number(from) === 4) list = VISITS.slice(0, 5);
    return list.slice(Number(from), Number(from) + 4);
  });
  expect(await idsOf(BY_OFFSET, grown)).toEqual(['V-0', 'V-1', 'V-2', 'V-3', 'V-4']);
});

describe('F14: rows that share the value by which a keyset is ordered', () => {
  const rows = Array.from({ length: 60 }, (_, at) => ({ id: `V-${at}`, day: at < 5 ? 1 : at < 45 ? 2 : 3 }));
  const capped = (cap: number, of: readonly (typeof rows)[number][] = rows, total: number | null = null) =>
    source(({ after = 0 }) => of.filter(({ day }) => day >= Number(after)).slice(0, cap), total);
  const byDay = keyset({ by: 'day', afterIn: 'after', inclusive: true, size: 50 });

  test('more of them than the source gives at once make no complete scan', async () => {
    await expect(idsOf(byDay, capped(30))).rejects.toThrow('whether more than 30 rows have the day 2');
    await expect(idsOf(byDay, capped(20, rows.slice(5, 45)))).rejects.toThrow(
      'whether more than 20 rows have the day 2',
    );
  });

  test('all that fit one page are a whole list, also where the list is one page of few', async () => {
    expect(await idsOf(byDay, capped(45))).toHaveLength(60);
    expect(await idsOf(byDay, capped(50, rows.slice(5, 20)))).toHaveLength(15);
  });

  test('are a whole list of any length where short pages, or a total, tell the end', async () => {
    const list = rows.slice(5, 45);
    expect(await idsOf({ ...byDay, shortPageEnds: true }, capped(50, list))).toHaveLength(40);
    expect(await idsOf(byDay, capped(50, list, 40))).toHaveLength(40);
  });
});

test('pages that overlap as a whole are refused at start', () => {
  expect(misfitOfPaging(offset({ fromIn: 'from', size: 5, overlap: 5 }))).toMatch('expected an overlap of 0 to 4 rows');
  expect(misfitOfPaging(page({ numberIn: 'page', size: 0 }))).toBe('expected a page size of at least 1, got 0');
});
