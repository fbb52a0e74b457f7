type FilterValue = string | number | boolean | null;

/**
 * Which records a collection has: by members of their rows, each with its value or with several, or by a function of the row. What a row
 * says counts, in every read.
 */
export type RowFilter = Readonly<Record<string, FilterValue | readonly FilterValue[]>> | ((row: never) => boolean);

/** Where a row stands: `misfit` says why nobody can tell. */
export type RowPlace = 'inside' | 'outside' | { readonly misfit: string };

/** Null: all records that are shown. */
export function compileFilter(filter: RowFilter | undefined): ((row: unknown) => RowPlace) | null {
  if (filter === undefined) return null;
  if (typeof filter === 'function') return byFunction(filter as (row: unknown) => unknown);
  const wanted = Object.entries(filter).map(([member, values]) => ({
    member,
    values: [values].flat<readonly (FilterValue | readonly FilterValue[])[]>(),
  }));
  return (row) => {
    let misfit: string | null = null;
    for (const { member, values } of wanted) {
      const shown = (row as Readonly<Record<string, unknown>>)[member];
      if (values.some((value) => isThe(value, shown))) continue;
      if (shown !== undefined) return 'outside';
      // What is not shown proves nothing: a list that leaves a member out would empty the collection.
      misfit ??= `expected ${member}, by which read.filter decides, got nothing`;
    }
    return misfit === null ? 'inside' : { misfit };
  };
}

function byFunction(filter: (row: unknown) => unknown): (row: unknown) => RowPlace {
  return (row) => {
    let said: unknown;
    try {
      said = filter(row);
    } catch {
      return { misfit: 'expected read.filter to say true or false, it threw' };
    }
    if (typeof said === 'boolean') return said ? 'inside' : 'outside';
    return { misfit: 'expected read.filter to say true or false, it said something else' };
  };
}

/** Sources write the same value in several ways: as texts, and a truth as a digit. */
function isThe(value: FilterValue, shown: unknown): boolean {
  if (value === null) return shown === null || shown === undefined || shown === '';
  if (shown === value) return true;
  if (typeof shown !== 'string' && typeof shown !== 'number') return false;
  const text = String(shown).trim();
  if (typeof value === 'boolean') return TRUTH[text] === value;
  return typeof value === 'number' ? text !== '' && Number(text) === value : text === value;
}

const TRUTH: Readonly<Record<string, boolean>> = { true: true, '1': true, false: false, '0': false };
