import {
  getArgumentValues,
  getOperationAST,
  getVariableValues,
  GraphQLError,
  OperationTypeNode,
  type GraphQLSchema,
} from 'graphql';
import type { Collection } from '../core/collection.js';
import type { RequestContext } from './context.js';
import type { GraphqlAnswer, GraphqlRequest } from './engine.js';
import type { ReadOperation, Operation } from './operation-reader.js';
import { perSelection } from './per-selection.js';
import { planPage, type PagePlan } from './page-plan.js';
import { toPullRequest, type PullArguments } from './pull-arguments.js';

/**
 * Answers pulls whose changes can be sent as the store keeps them, past GraphQL's execution: the same bytes for a fraction of
 * the time. Everything else is null, and so is whatever goes wrong: executing the operation gives the error's exact answer.
 */
export interface ReadyPages {
  /** @param context asked for only after the request was found safe from forgery, and before anything of it is read */
  answer(request: GraphqlRequest, context: () => Promise<RequestContext>): Promise<GraphqlAnswer | null>;
}

export function createReadyPages(options: {
  readonly schema: GraphQLSchema;
  readonly collections: readonly Collection[];
  readonly read: (operation: Operation) => ReadOperation;
  /** The `content-type` of an answer to a request with this `accept`; null: none is acceptable. */
  readonly contentType: (accept: string | undefined) => Promise<string | null>;
}): ReadyPages {
  const { schema, collections, read, contentType } = options;
  const pullField = schema.getQueryType()?.getFields()['pull'];
  const everyName = collections.map(({ name }) => name);
  const live = new Set(collections.filter(({ storage }) => storage === 'metadataOnly').map(({ name }) => name));
  const planOf = perSelection((document, operation, variables) =>
    planPage(schema, collections, document, operation, variables),
  );

  /** The operation's plan and the arguments of its pull, or null when it is for GraphQL's execution to answer. */
  function prepare(operation: Operation): { readonly plan: PagePlan; readonly pulled: PullArguments } | null {
    const checked = read(operation);
    if ('errors' in checked || pullField === undefined) return null;
    const { document } = checked.args;
    const node = getOperationAST(document, operation.operationName);
    if (node?.operation !== OperationTypeNode.QUERY) return null;
    const { coerced } = getVariableValues(schema, node.variableDefinitions ?? [], operation.variables ?? {});
    if (coerced === undefined) return null;
    try {
      const plan = planOf(document, node, coerced);
      if (plan === null) return null;
      const pulled: PullArguments = getArgumentValues(pullField, plan.field, coerced);
      return isKeptHere(pulled) ? { plan, pulled } : null;
    } catch (thrown) {
      // GraphQL's execution meets the same fault and words it.
      if (thrown instanceof GraphQLError) return null;
      throw thrown;
    }
  }

  /** Bodies that are read from their source are in no ready text. */
  function isKeptHere({ collections: asked }: PullArguments): boolean {
    return (asked ?? everyName).every((name) => !live.has(name));
  }

  return {
    async answer(request, context) {
      const operation = operationOf(request);
      if (operation === null) return null;
      const [type, known] = await Promise.all([
        contentType(request.headers.get('accept')),
        context().catch(() => null),
      ]);
      if (type === null || known === null) return null;
      const prepared = prepare(operation);
      if (prepared === null) return null;
      const { plan, pulled } = prepared;
      const page = await known.pull(toPullRequest(pulled, plan.shape)).catch(() => null);
      const body = page === null ? null : plan.write(page);
      return body === null ? null : { status: 200, headers: new Map([['content-type', type]]), body };
    },
  };
}

/**
 * The operation of a POST that Apollo Server would take as it is, or null. A browser sends this content type to another
 * origin only after asking, which is what Apollo's protection against forged requests rests on.
 */
function operationOf({ method, headers, body }: GraphqlRequest): Operation | null {
  if (method !== 'POST' || !/^application\/json\s*(;|$)/i.test(headers.get('content-type') ?? '')) return null;
  if (!isRecord(body)) return null;
  const { query, operationName = null, variables = null, extensions = null } = body;
  if (typeof query !== 'string' || !query.includes('changes')) return null;
  if (operationName !== null && typeof operationName !== 'string') return null;
  if (variables !== null && !isRecord(variables)) return null;
  if (extensions !== null && (!isRecord(extensions) || 'persistedQuery' in extensions)) return null;
  return { query, operationName, variables };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
