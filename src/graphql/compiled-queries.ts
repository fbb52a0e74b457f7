import { HeaderMap, type ApolloServerPlugin } from '@apollo/server';
import {
  getVariableValues,
  GraphQLError,
  OperationTypeNode,
  visit,
  BREAK,
  type DocumentNode,
  type ExecutionResult,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from 'graphql';
import { compileQuery, isCompiledQuery, type CompiledQuery } from 'graphql-jit';
import type { RequestContext } from './context.js';
import { perSelection } from './per-selection.js';
import { withoutDirectives } from './selection.js';

/**
 * Runs queries as compiled code (3.4 times as fast on typed pages). Whatever it cannot do as graphql-js does goes to
 * graphql-js: mutations (graphql-jit does not hold `@oneOf`), introspection, variables that do not fit, and every answer
 * with an error, for its exact text; queries have no effect, so running one again is safe. Directives are decided before
 * (graphql-jit 0.8.9 puts a field that is selected twice, once with a directive, in another place).
 */
export function compiledQueries(schema: GraphQLSchema): ApolloServerPlugin<RequestContext> {
  const compiled = perSelection((document, operation, variables): CompiledQuery | null => {
    const decided = hasIntrospection(document) ? null : withoutDirectives(document, variables);
    if (decided === null) return null;
    const query = compileQuery(schema, decided, operation.name?.value);
    return isCompiledQuery(query) ? query : null;
  });

  return {
    requestDidStart: () =>
      Promise.resolve({
        async responseForOperation({ document, request, contextValue, ...requested }) {
          // Apollo also asks when no operation has the name that was asked for.
          const operation = requested.operation as OperationDefinitionNode | undefined;
          if (operation?.operation !== OperationTypeNode.QUERY) return null;
          const variables = request.variables ?? {};
          const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
          const query = coerced === undefined ? null : orNull(() => compiled(document, operation, coerced));
          if (query === null) return null;
          const result = (await query.query(undefined, contextValue, variables)) as ExecutionResult;
          if (result.errors !== undefined && result.errors.length > 0) return null;
          return {
            http: { headers: new HeaderMap() },
            body: { kind: 'single', singleResult: result as { data: Record<string, unknown> } },
          };
        },
      }),
  };
}

/** A directive whose variable is null is graphql-js's to refuse. */
function orNull<T>(make: () => T): T | null {
  try {
    return make();
  } catch (thrown) {
    if (thrown instanceof GraphQLError) return null;
    throw thrown;
  }
}

function hasIntrospection(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Field(node) {
      if (node.name.value !== '__schema' && node.name.value !== '__type') return undefined;
      found = true;
      return BREAK;
    },
  });
  return found;
}
