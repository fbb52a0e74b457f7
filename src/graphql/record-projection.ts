import type { GraphQLObjectType } from 'graphql';
import type { Collection } from '../core/collection.js';
import type { SelectedFields } from './selection.js';
import { anyEnd, fittingEnd, MISFIT, type ValueEnd } from './value-ends.js';

/**
 * Writes the selected fields of the record whose ready text begins at `at`; null when that text is not as its collection is
 * declared today: then only GraphQL's execution knows the answer.
 */
export type RecordProjection = (text: string, at: number) => string | null;

/** A declared field up to the last selected one: how its entry begins, and where its value ends. */
interface Step {
  readonly key: string;
  readonly end: ValueEnd;
}

/** Values that go out as they stand, from field number `first` to `last`, with what comes before them. */
interface Run {
  readonly before: string;
  readonly first: number;
  last: number;
}

/**
 * How the selected fields of a record are cut out of its ready text, or null where a field's type is not known here.
 *
 * Rests on `renderBody`: every declared field, in declared order, without blanks. A text that was stored under another
 * declaration may have fields more or less, in another order or with values of another type, so each step is checked: the
 * entry has the field's name, and a selected value is one that GraphQL sends as it is kept. What comes behind the last
 * selected field is not looked at: it changes nothing.
 */
export function projectRecord(
  collection: Collection,
  recordType: GraphQLObjectType,
  selected: SelectedFields,
): RecordProjection | null {
  const { runs, after } = runsOf(collection, recordType, selected);
  const steps = stepsOf(collection, recordType, runs);
  if (steps === null) return null;
  // Of the record at hand; kept over records, since a page has thousands.
  const begins = steps.map(() => 0);
  const ends = steps.map(() => 0);

  return (text, at) => {
    let number = 0;
    let place = at;
    for (const { key, end } of steps) {
      if (!text.startsWith(key, place)) return null;
      place += key.length;
      begins[number] = place;
      place = end(text, place);
      if (place === MISFIT) return null;
      ends[number] = place;
      number += 1;
    }
    let projected = '';
    for (const { before, first, last } of runs) projected += before + text.slice(begins[first], ends[last]);
    return projected + after;
  };
}

/** Fields that are selected in declared order under their own names stand in the text as they go out: one run. */
function runsOf(
  collection: Collection,
  recordType: GraphQLObjectType,
  selected: SelectedFields,
): { readonly runs: readonly Run[]; readonly after: string } {
  const runs: Run[] = [];
  let before = '{';
  let comma = '';
  for (const [key, [field]] of selected) {
    const name = field.name.value;
    const entry = `${comma}${JSON.stringify(key)}:`;
    comma = ',';
    if (name === '__typename') {
      before += entry + JSON.stringify(recordType.name);
      continue;
    }
    const number = collection.fields.findIndex((declared) => declared.name === name);
    const last = runs.at(-1);
    if (before === '' && key === name && last?.last === number - 1) last.last = number;
    else runs.push({ before: before + entry, first: number, last: number });
    before = '';
  }
  return { runs, after: `${before}}` };
}

function stepsOf({ fields }: Collection, recordType: GraphQLObjectType, runs: readonly Run[]): readonly Step[] | null {
  const types = recordType.getFields();
  const isSelected = (number: number): boolean => runs.some(({ first, last }) => first <= number && number <= last);
  const steps: Step[] = [];
  for (const [number, { name }] of fields.slice(0, Math.max(0, ...runs.map(({ last }) => last + 1))).entries()) {
    const type = types[name]?.type;
    const end = isSelected(number) ? type && fittingEnd(type) : anyEnd;
    if (!end) return null;
    steps.push({ key: `${number === 0 ? '{' : ','}${JSON.stringify(name)}:`, end });
  }
  return steps;
}
