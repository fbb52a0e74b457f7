import { ApolloServer, HeaderMap, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
} from '@apollo/server/plugin/disabled';
import {
  OperationTypeNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
} from 'graphql';
import { SyncError } from '../core/errors.js';
import type { Log } from '../core/ports.js';
import { deviceOf, type Session } from '../core/session.js';
import type { KeptConflicts } from '../push/kept-conflicts.js';
import { changeTypesByCollection } from './typed-schema.js';
import { compiledQueries } from './compiled-queries.js';
import type { GraphqlServices, RequestContext, UseCases } from './context.js';
import { readCurrentTogether } from './current-records.js';
import { createDocumentGate, type AskedOperation } from './document-gate.js';
import { MAX_TOKENS } from './document-limits.js';
import { contentTypes } from './content-types.js';
import { createFormatError, toGraphqlError } from './errors.js';
import { jointReads } from './joint-reads.js';
import { createJointSubscriptions } from './joint-subscriptions.js';
import { createOperationReader, formatErrors, type ReadOperation } from './operation-reader.js';
import { createReadyPages } from './ready-pages.js';
import { failingAlike } from './request-pull.js';
import { createSchema } from './schema.js';
import type { TrustedDocuments, WireOperation } from './trusted-documents.js';

/** A GraphQL request as HTTP brought it; `body` is parsed JSON, undefined when there is none. */
export interface GraphqlRequest {
  readonly method: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** The query string with its `?`, or empty. */
  readonly search: string;
  readonly body: unknown;
}

/** What goes back over HTTP: pieces of one body, to be written in order. */
export interface GraphqlAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: readonly Uint8Array[];
}

/** GraphQL without a transport. */
export interface GraphqlEngine {
  readonly schema: GraphQLSchema;
  /** @param session asked for once, after the request was found safe; what it throws is the answer */
  answer(request: GraphqlRequest, session: () => Promise<Session>): Promise<GraphqlAnswer>;
  /** For transports that execute by themselves (graphql-ws): what resolvers see, the checked operation, and its errors. */
  contextFor(session: Session): RequestContext;
  readOperation(operation: WireOperation): ReadOperation;
  /** Listens; results are made once for all who are told the same. */
  subscribe(args: ExecutionArgs): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult>;
  formatErrors(errors: readonly (GraphQLError | GraphQLFormattedError)[]): readonly GraphQLFormattedError[];
  stop(): Promise<void>;
}

export interface EngineOptions extends GraphqlServices {
  /** @throws SyncError - there is no such tenant */
  readonly useCasesOf: (tenant: string) => UseCases;
  /** Compiled queries and ready-text pages; off: plain graphql-js with the same answers. */
  readonly fastPath: boolean;
  /** Nothing else is executed. Absent: everything within the limits is. */
  readonly documents?: TrustedDocuments;
  /** Development mode: introspection on, GraphQL's own messages whole. */
  readonly introspection: boolean;
}

/** A session that sees nothing, for what concerns no session. */
const NOBODY: Session = { tenant: '', user: '', device: null, grant: { kind: 'listed', scopes: [] } };

/** The query that is asked for it has no field of ours. */
const NO_USE_CASES = {} as UseCases;

/** Builds the schema and starts Apollo Server. @throws StartupError config - the collections make no schema */
export async function createGraphqlEngine(options: EngineOptions): Promise<GraphqlEngine> {
  const { fastPath, introspection, documents, useCasesOf, ...services } = options;
  const { collections, log } = services;
  const schema = createSchema(collections);
  const typeOf = changeTypesByCollection(collections);
  const apollo = new ApolloServer<RequestContext>({
    schema,
    introspection,
    hideSchemaDetailsFromClientErrors: !introspection,
    includeStacktraceInErrorResponses: false,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxTokens: MAX_TOKENS },
    formatError: createFormatError(log),
    logger: { ...log, debug: () => undefined },
    nodeEnv: '',
    plugins: [
      // 1.6 times as fast on pages without it.
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      refusesSubscriptions(log),
      ...(fastPath ? [compiledQueries(schema)] : []),
    ],
  });
  await apollo.start();

  const contextWith = (session: Session, useCases: UseCases): RequestContext => ({
    session,
    services,
    useCases,
    pull: (request) => useCases.pull(session, request),
    currentRecords: readCurrentTogether(session, useCases.readCurrent, typeOf),
    readConflict: readConflictsTogether(session, useCases.conflicts),
  });

  const contextFor = (session: Session): RequestContext => contextWith(session, useCasesOf(session.tenant));

  async function execute(request: GraphqlRequest, context: () => Promise<RequestContext>): Promise<GraphqlAnswer> {
    const { status, headers, body } = await apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest: { ...request, headers: new HeaderMap(request.headers) },
      context: async () => {
        try {
          return await context();
        } catch (thrown) {
          throw toGraphqlError(thrown, log);
        }
      },
    });
    return { status: status ?? 200, headers, body: await bodyOf(body) };
  }

  const checkOperation = createDocumentGate(services.maxChangesPerPush);
  const readOperation = createOperationReader(schema, introspection);
  const contentType = contentTypes((request) => execute(request, async () => contextWith(NOBODY, NO_USE_CASES)));
  const readyPages = fastPath ? createReadyPages({ schema, collections, read: readOperation, contentType }) : null;
  return {
    schema,
    contextFor,
    readOperation(operation) {
      try {
        const resolved = documents?.resolveOperation(operation) ?? operation;
        checkOperation(resolved);
        return readOperation(resolved);
      } catch (thrown) {
        return { errors: [toGraphqlError(thrown, log)] };
      }
    },
    subscribe: createJointSubscriptions(),
    formatErrors: (errors) => formatErrors(errors, log),
    async answer(sent, session) {
      const request = documents?.resolve(sent) ?? sent;
      let asked: Promise<RequestContext> | null = null;
      const ask = async (): Promise<RequestContext> => {
        const context = contextFor(await session());
        checkOperation(operationIn(request));
        return { ...context, pull: failingAlike(context.pull, log) };
      };
      const context = (): Promise<RequestContext> => (asked ??= ask());
      return (await readyPages?.answer(request, context)) ?? execute(request, context);
    },
    stop: () => apollo.stop(),
  };
}

/** A GET with two of them is refused by Apollo. */
function operationIn({ method, search, body }: GraphqlRequest): AskedOperation {
  if (method === 'GET') return { query: new URLSearchParams(search).get('query') };
  return typeof body === 'object' && body !== null ? body : {};
}

/** One per request; a session without a device has no refused edits. */
function readConflictsTogether(session: Session, conflicts: KeptConflicts): RequestContext['readConflict'] {
  const device = deviceOf(session);
  return device === null ? async () => null : jointReads((changeIds) => conflicts.read(device, changeIds));
}

/** GraphQL would execute it like a query and answer with one hint that is null. */
function refusesSubscriptions(log: Log): ApolloServerPlugin<RequestContext> {
  return {
    requestDidStart: async () => ({
      async didResolveOperation({ operation }) {
        if (operation?.operation !== OperationTypeNode.SUBSCRIPTION) return;
        throw toGraphqlError(
          new SyncError('BAD_REQUEST', 'expected subscriptions over graphql-ws on the same path, got one over HTTP'),
          log,
        );
      },
    }),
  };
}

type ApolloBody = Awaited<ReturnType<ApolloServer['executeHTTPGraphQLRequest']>>['body'];

async function bodyOf(body: ApolloBody): Promise<readonly Uint8Array[]> {
  if (body.kind === 'complete') return [Buffer.from(body.string)];
  const chunks: Uint8Array[] = [];
  for await (const chunk of body.asyncIterator) chunks.push(Buffer.from(chunk));
  return chunks;
}
