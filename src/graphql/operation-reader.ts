import {
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type ExecutionArgs,
  type GraphQLFormattedError,
  type GraphQLSchema,
} from 'graphql';
import { SyncError } from '../core/errors.js';
import type { Log } from '../core/ports.js';
import { MAX_TOKENS } from './document-limits.js';
import { isRequestFault, toGraphqlError } from './errors.js';

/** An operation as a transport without Apollo brings it. */
export interface Operation {
  readonly query: string;
  readonly operationName?: string | undefined | null;
  readonly variables?: Readonly<Record<string, unknown>> | undefined | null;
}

export type ReadOperation = { readonly args: ExecutionArgs } | { readonly errors: readonly GraphQLError[] };

/** Documents kept parsed, those used last: apps of one release send the same few. */
const MAX_DOCUMENTS = 200;
/** Longest text that is kept, characters: a document within MAX_TOKENS may still hold a very long comment. */
const MAX_KEPT_LENGTH = 20_000;

/**
 * Parses and checks operations that passed the gate; equal texts are read once.
 *
 * @param introspection may clients ask for the schema? If not, messages do not suggest its names either
 */
export function createOperationReader(
  schema: GraphQLSchema,
  introspection: boolean,
): (operation: Operation) => ReadOperation {
  const documents = new Map<string, DocumentNode>();
  const rules = [...specifiedRules, ...(introspection ? [] : [NoSchemaIntrospectionCustomRule])];

  function read(query: string): DocumentNode | readonly GraphQLError[] {
    const known = documents.get(query);
    if (known !== undefined) {
      documents.delete(query);
      documents.set(query, known);
      return known;
    }
    let document: DocumentNode;
    try {
      document = parse(query, { maxTokens: MAX_TOKENS });
    } catch (thrown) {
      return [thrown instanceof GraphQLError ? thrown : new GraphQLError(String(thrown))];
    }
    const faults = validate(schema, document, rules);
    if (faults.length > 0) return faults;
    if (query.length > MAX_KEPT_LENGTH) return document;
    if (documents.size >= MAX_DOCUMENTS) documents.delete(documents.keys().next().value as string);
    documents.set(query, document);
    return document;
  }

  return ({ query, operationName, variables }) => {
    const document = read(query);
    if (!('kind' in document)) return { errors: document.map((error) => asBadRequest(error, introspection)) };
    return { args: { schema, document, operationName: operationName ?? null, variableValues: variables ?? null } };
  };
}

function asBadRequest(error: GraphQLError, introspection: boolean): GraphQLError {
  const message = introspection ? error.message : error.message.replace(/ ?Did you mean(.+?)\?$/, '');
  return new GraphQLError(message, {
    nodes: error.nodes ?? null,
    source: error.source ?? null,
    positions: error.positions ?? null,
    path: error.path ?? null,
    originalError: new SyncError('BAD_REQUEST', message),
  });
}

/** Errors as they leave: ours with the catalogue's extensions, GraphQL's own as BAD_REQUEST, everything else INTERNAL. */
export function formatErrors(
  errors: readonly (GraphQLError | GraphQLFormattedError)[],
  log: Log,
): readonly GraphQLFormattedError[] {
  return errors.map((error) => {
    if (!(error instanceof GraphQLError)) return error;
    const ours = error.extensions['advice'] !== undefined ? error : toGraphqlError(originOf(error), log);
    const { http: _status, ...extensions } = ours.extensions;
    return { ...error.toJSON(), message: ours.message, extensions };
  });
}

/** What is at fault: without a path it is the request, since nothing was executed yet. */
function originOf(error: GraphQLError): unknown {
  const { originalError, path, message } = error;
  if (originalError instanceof SyncError) return originalError;
  if (path === undefined || isRequestFault(error)) return new SyncError('BAD_REQUEST', message);
  return originalError instanceof GraphQLError ? new Error(message, { cause: originalError }) : originalError;
}
