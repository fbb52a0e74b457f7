import { createHash } from 'node:crypto';
import { StartupError, SyncError } from '../core/errors.js';
import type { GraphqlRequest } from './engine.js';
import type { Operation } from './operation-reader.js';

/** The operations that an app was built with, by the SHA-256 of their text: nothing else is executed. */
export interface TrustedDocuments {
  /**
   * The request with the text that its hash names (`extensions.persistedQuery.sha256Hash`), or as it is where its own text is one of them.
   *
   * @throws SyncError PERSISTED_QUERY_NOT_FOUND, FORBIDDEN
   */
  resolve(request: GraphqlRequest): GraphqlRequest;
  /** The same for an operation over graphql-ws. */
  resolveOperation(operation: WireOperation): Operation;
}

/** An operation as graphql-ws brings it: its text may be empty where its hash names it. */
export interface WireOperation extends Operation {
  readonly extensions?: Readonly<Record<string, unknown>> | null | undefined;
}

/**
 * Reads a list of documents: a manifest of Apollo's tools (`{ "format": "apollo-persisted-query-manifest", "operations": [{ "id", "body" }] }`,
 * of Apollo Kotlin, Apollo iOS and `generate-persisted-query-manifest`), or an object of texts by their hashes (graphql-codegen).
 *
 * @param file for messages
 * @param besides further texts that are taken
 * @throws StartupError config
 */
export function readTrustedDocuments(text: string, file: string, besides: readonly string[] = []): TrustedDocuments {
  const documents = new Map<string, string>();
  for (const [id, body] of entriesOf(text, file)) {
    if (hashOf(body) !== id) throw misfit(file, `an id that is the SHA-256 of its document`, `${id.slice(0, 80)}`);
    documents.set(id, body);
  }
  if (documents.size === 0) throw misfit(file, 'at least one document', 'none');
  for (const document of besides) documents.set(hashOf(document), document);

  function textOf(query: unknown, extensions: unknown): string {
    if (typeof query === 'string' && query !== '') {
      if (documents.get(hashOf(query)) === query) return query;
      throw new SyncError('FORBIDDEN', 'query: expected one of the documents that this gateway was given');
    }
    const persisted = memberOf(extensions, 'persistedQuery');
    const found = documents.get(String(memberOf(persisted, 'sha256Hash')));
    if (found !== undefined) return found;
    // Clients compare the text.
    throw new SyncError('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound');
  }

  return {
    resolve(request) {
      if (request.method !== 'GET') {
        const { extensions, ...body } = (request.body ?? {}) as Record<string, unknown>;
        return { ...request, body: { ...body, query: textOf(body['query'], extensions) } };
      }
      const search = new URLSearchParams(request.search);
      search.set('query', textOf(search.get('query'), parsed(search.get('extensions'))));
      search.delete('extensions');
      return { ...request, search: `?${search.toString()}` };
    },
    resolveOperation: ({ extensions, ...operation }) => ({ ...operation, query: textOf(operation.query, extensions) }),
  };
}

function entriesOf(text: string, file: string): readonly (readonly [string, string])[] {
  const list = parsed(text);
  const operations = memberOf(list, 'operations');
  const entries = Array.isArray(operations)
    ? operations.map((one: unknown) => [memberOf(one, 'id'), memberOf(one, 'body')])
    : Object.entries(typeof list === 'object' && list !== null && !Array.isArray(list) ? list : {});
  return entries.map(([id, body]) => {
    if (typeof id === 'string' && typeof body === 'string') return [id, body] as const;
    throw misfit(file, 'a manifest of operations, or an object of documents by their SHA-256', 'something else');
  });
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null') as unknown;
  } catch {
    return undefined;
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function misfit(file: string, expected: string, got: string): StartupError {
  return new StartupError('config', `documents: ${file}: expected ${expected}, got ${got}`);
}
