import { Kind, type DocumentNode, type FragmentDefinitionNode, type SelectionSetNode } from 'graphql';

/** Tokens of a document: parsing and validating stay below 10 ms. Pushed changes belong into variables. */
export const MAX_TOKENS = 1_000;
/** Fields of a document with all its fragments spread out: fragments of fragments grow as powers of two. */
const MAX_FIELDS = 2_000;
/** Nesting: the introspection query of the usual tools has 14 levels. */
const MAX_DEPTH = 20;
/** Fields at the top: each of them is a pull or a push of its own. */
const MAX_ROOT_FIELDS = 10;
/** Fields that are selected again under another name, at the same place: each is the same bytes once more, in every change. */
const MAX_REPEATS = 20;

interface Extent {
  readonly fields: number;
  readonly depth: number;
}

/** What is too much of a document, as "expected …, got …"; null: nothing. Cycles of fragments are for the validator to find. */
export function misfitOf(document: DocumentNode): string | null {
  const measure = createMeasure(document);
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const { fields, depth } = measure.extent(definition.selectionSet);
    const atTop = measure.atTop(definition.selectionSet);
    if (depth > MAX_DEPTH) return `expected at most ${MAX_DEPTH} levels of fields, got ${depth}`;
    if (fields > MAX_FIELDS) return `expected at most ${MAX_FIELDS} fields with fragments spread out, got more`;
    if (atTop > MAX_ROOT_FIELDS) {
      return `expected at most ${MAX_ROOT_FIELDS} fields at the top of an operation, got ${atTop}`;
    }
    if (countRepeats(document, definition.selectionSet) > MAX_REPEATS) {
      return `expected at most ${MAX_REPEATS} fields that are selected again under other names, got more`;
    }
  }
  return null;
}

/** Each fragment is measured once, so that the measuring itself stays small. */
function createMeasure(document: DocumentNode) {
  const fragments = fragmentsOf(document);
  const extents = new Map<string, Extent>();
  const tops = new Map<string, number>();

  function ofFragment<T>(name: string, known: Map<string, T>, none: T, of: (set: SelectionSetNode) => T): T {
    const found = known.get(name);
    if (found !== undefined) return found;
    // A cycle meets this; the document is refused for the cycle itself.
    known.set(name, none);
    const fragment = fragments.get(name);
    const result = fragment === undefined ? none : of(fragment.selectionSet);
    known.set(name, result);
    return result;
  }

  function extent(set: SelectionSetNode): Extent {
    let fields = 0;
    let depth = 0;
    for (const selection of set.selections) {
      const inner =
        selection.kind === Kind.FRAGMENT_SPREAD
          ? ofFragment(selection.name.value, extents, { fields: 0, depth: 0 }, extent)
          : selection.selectionSet === undefined
            ? { fields: 0, depth: 0 }
            : extent(selection.selectionSet);
      const own = selection.kind === Kind.FIELD ? 1 : 0;
      fields += inner.fields + own;
      depth = Math.max(depth, inner.depth + own);
    }
    return { fields, depth };
  }

  function atTop(set: SelectionSetNode): number {
    return set.selections.reduce((sum, selection) => {
      if (selection.kind === Kind.FIELD) return sum + 1;
      return (
        sum +
        (selection.kind === Kind.FRAGMENT_SPREAD
          ? ofFragment(selection.name.value, tops, 0, atTop)
          : atTop(selection.selectionSet))
      );
    }, 0);
  }

  return { extent, atTop };
}

/** Fields under a second, third, … name of their own at one place of the answer. Fields of one key are one place. */
function countRepeats(document: DocumentNode, root: SelectionSetNode): number {
  const fragments = fragmentsOf(document);

  /** @param above fragments on the way here: no valid one is met again below itself, and cycles end */
  function repeatsOf(sets: readonly SelectionSetNode[], above: ReadonlySet<string>): number {
    /** By the innermost type that the field is asked of, since only one concrete type holds at a time. */
    const keys = new Map<string, Set<string>>();
    const below = new Map<string, SelectionSetNode[]>();
    const spread = new Set(above);
    const collect = (set: SelectionSetNode, type: string): void => {
      for (const selection of set.selections) {
        if (selection.kind === Kind.FIELD) {
          const key = selection.alias?.value ?? selection.name.value;
          const field = `${type}.${selection.name.value}`;
          keys.set(field, (keys.get(field) ?? new Set()).add(key));
          if (selection.selectionSet !== undefined) below.set(key, [...(below.get(key) ?? []), selection.selectionSet]);
        } else if (selection.kind === Kind.INLINE_FRAGMENT) {
          collect(selection.selectionSet, selection.typeCondition?.name.value ?? type);
        } else if (!spread.has(selection.name.value)) {
          spread.add(selection.name.value);
          const fragment = fragments.get(selection.name.value);
          if (fragment !== undefined) collect(fragment.selectionSet, fragment.typeCondition.name.value);
        }
      }
    };
    for (const set of sets) collect(set, '');
    let repeats = 0;
    for (const names of keys.values()) repeats += names.size - 1;
    for (const inner of below.values()) repeats += repeatsOf(inner, spread);
    return repeats;
  }

  return repeatsOf([root], new Set());
}

function fragmentsOf(document: DocumentNode): ReadonlyMap<string, FragmentDefinitionNode> {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  return fragments;
}
