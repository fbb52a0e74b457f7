import type { DocumentNode, OperationDefinitionNode } from 'graphql';
import { selectingVariables } from './selection.js';

/** Operations whose makings are kept: apps of one release send the same few. */
const MAX_OPERATIONS = 200;
/** Makings of one operation: one for each combination of its @skip and @include that clients use. */
const MAX_VARIANTS = 16;

export type Variables = Readonly<Record<string, unknown>>;

/**
 * Keeps what `make` makes of an operation, for each combination of the variables that decide which fields it selects. Null
 * when there are too many combinations to keep.
 *
 * @param make pure; of `variables` (coerced) only what @skip and @include read may decide
 */
export function perSelection<Made>(
  make: (document: DocumentNode, operation: OperationDefinitionNode, variables: Variables) => Made,
): (document: DocumentNode, operation: OperationDefinitionNode, variables: Variables) => Made | null {
  // Documents are parsed once per text, so the same operation is the same object.
  const known = new Map<OperationDefinitionNode, Variants<Made>>();

  return (document, operation, variables) => {
    const variants = known.get(operation) ?? { selecting: selectingVariables(document), made: new Map<string, Made>() };
    known.delete(operation);
    known.set(operation, variants);
    if (known.size > MAX_OPERATIONS) known.delete(known.keys().next().value as OperationDefinitionNode);
    const { selecting, made } = variants;
    const key = selecting.map((name) => String(variables[name])).join();
    if (!made.has(key)) {
      if (made.size >= MAX_VARIANTS) return null;
      made.set(key, make(document, operation, variables));
    }
    return made.get(key) as Made;
  };
}

interface Variants<Made> {
  readonly selecting: readonly string[];
  readonly made: Map<string, Made>;
}
