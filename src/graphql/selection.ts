import {
  getDirectiveValues,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  isAbstractType,
  Kind,
  typeFromAST,
  visit,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  type InlineFragmentNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

type Variables = Readonly<Record<string, unknown>>;

/** The nodes of one field of an answer, by the key under which it appears there. */
export type SelectedFields = ReadonlyMap<string, readonly [FieldNode, ...FieldNode[]]>;

/** Reads what a valid operation selects, for given variables, exactly as GraphQL's execution does. */
export interface Selection {
  /** The fields of an object, in the order of the answer: fragments spread out, @skip and @include obeyed. */
  fieldsOf(type: GraphQLObjectType, sets: readonly (SelectionSetNode | undefined)[]): SelectedFields;
}

/** @throws GraphQLError (from `fieldsOf`) - a directive's variable has no value that fits */
export function createSelection(schema: GraphQLSchema, document: DocumentNode, variables: Variables): Selection {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }

  function fits(type: GraphQLObjectType, fragment: FragmentDefinitionNode | InlineFragmentNode): boolean {
    if (fragment.typeCondition === undefined) return true;
    const condition = typeFromAST(schema, fragment.typeCondition);
    return condition === type || (isAbstractType(condition) && schema.isSubType(condition, type));
  }

  return {
    fieldsOf(type, sets) {
      const fields = new Map<string, [FieldNode, ...FieldNode[]]>();
      const spread = new Set<string>();
      const collect = (set: SelectionSetNode): void => {
        for (const selection of set.selections) {
          if (!isIncluded(selection, variables)) continue;
          if (selection.kind === Kind.FIELD) {
            const key = selection.alias?.value ?? selection.name.value;
            const known = fields.get(key);
            if (known === undefined) fields.set(key, [selection]);
            else known.push(selection);
          } else if (selection.kind === Kind.INLINE_FRAGMENT) {
            if (fits(type, selection)) collect(selection.selectionSet);
          } else if (!spread.has(selection.name.value)) {
            spread.add(selection.name.value);
            const fragment = fragments.get(selection.name.value);
            if (fragment !== undefined && fits(type, fragment)) collect(fragment.selectionSet);
          }
        }
      };
      for (const set of sets) if (set !== undefined) collect(set);
      return fields;
    },
  };
}

/**
 * The document as these variables make it: what is not included is gone, and so are all directives. Null when nothing is left
 * of some selection, which GraphQL has no text for.
 *
 * @throws GraphQLError - a directive's variable has no value that fits
 */
export function withoutDirectives(document: DocumentNode, variables: Variables): DocumentNode | null {
  let isEmpty = false;
  const decide = (node: SelectionNode): SelectionNode | null =>
    isIncluded(node, variables) ? { ...node, directives: [] } : null;
  const decided = visit<DocumentNode>(document, {
    Field: decide,
    InlineFragment: decide,
    FragmentSpread: decide,
    SelectionSet: {
      leave({ selections }) {
        isEmpty ||= selections.length === 0;
      },
    },
  });
  return isEmpty ? null : decided;
}

function isIncluded(node: SelectionNode, variables: Variables): boolean {
  return (
    getDirectiveValues(GraphQLSkipDirective, node, variables)?.['if'] !== true &&
    getDirectiveValues(GraphQLIncludeDirective, node, variables)?.['if'] !== false
  );
}

/** What is selected below these nodes: fields of one key share one object. */
export function setsOf(nodes: readonly Pick<FieldNode, 'selectionSet'>[]): readonly FieldNode['selectionSet'][] {
  return nodes.map((node) => node.selectionSet);
}

/** Names of the variables that decide which fields a document selects: equal values of them select equal fields. */
export function selectingVariables(document: DocumentNode): readonly string[] {
  const names = new Set<string>();
  visit(document, {
    Directive(directive) {
      for (const { value } of directive.arguments ?? []) {
        if (value.kind === Kind.VARIABLE) names.add(value.name.value);
      }
    },
    // Neither values nor definitions have directives that select.
    VariableDefinition: () => false,
  });
  return [...names];
}
