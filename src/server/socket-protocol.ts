import { execute, GraphQLError } from 'graphql';
import { makeServer, type Server } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { SyncError } from '../core/errors.js';
import type { Log } from '../core/ports.js';
import type { Session } from '../core/session.js';
import { inTurn } from '../core/turns.js';
import type { RequestContext } from '../graphql/context.js';
import type { GraphqlEngine } from '../graphql/engine.js';
import type { RequestRate } from './request-rate.js';
import type { Credentials } from './session.js';
import { CLOSE } from './socket-closing.js';
import { holdBack, readOn } from './socket-upkeep.js';

/** Operations at once on one socket: an app listens once, with a list. */
const MAX_OPERATIONS = 20;
const INIT_TIMEOUT_MS = 3_000;

/** What graphql-ws knows of a socket. */
interface SocketState extends Record<PropertyKey, unknown> {
  readonly socket: WebSocket;
  /** Only of one that was let in. */
  session?: Session;
}

/** GraphQL over sockets. */
export interface SocketProtocol {
  /** Speaks it on a socket until that closes. */
  speakOn(socket: WebSocket): void;
}

/** graphql-ws with our limits and our errors; sockets are `ws`'s. */
export function createSocketProtocol(options: {
  readonly graphql: GraphqlEngine;
  readonly rate: RequestRate;
  readonly log: Log;
  /** Lets a socket in, or closes it and gives null. */
  readonly letIn: (socket: WebSocket, credentials: Credentials) => Promise<Session | null>;
  /** How long a socket may take to say who it is. */
  readonly initTimeoutMs?: number;
}): SocketProtocol {
  const { graphql, rate, log, letIn, initTimeoutMs = INIT_TIMEOUT_MS } = options;
  const server = makeServer<Record<string, unknown>, SocketState>({
    schema: graphql.schema,
    connectionInitWaitTimeout: initTimeoutMs,
    async onConnect({ connectionParams, extra }) {
      const session = await letIn(extra.socket, {
        authorization: textOf(connectionParams?.['authorization']),
        device: textOf(connectionParams?.['device']),
      });
      if (session === null) return false;
      extra.session = session;
      return true;
    },
    onSubscribe({ extra, subscriptions }, _id, payload) {
      // Only a connection that was acknowledged, which has its session, may subscribe.
      const session = extra.session as Session;
      try {
        checkOperations(Object.keys(subscriptions).length);
        rate.take(session);
      } catch (thrown) {
        return [refusal(thrown)];
      }
      const read = graphql.readOperation(payload);
      return 'errors' in read ? read.errors : { ...read.args, contextValue: graphql.contextFor(session) };
    },
    async execute(args) {
      const { session: who } = args.contextValue as RequestContext;
      try {
        return await inTurn(rate.enter(who), async () => execute(args));
      } catch (thrown) {
        return { data: null, errors: [refusal(thrown)] };
      }
    },
    subscribe: (args) => graphql.subscribe(args),
    onNext(_context, _id, _payload, _args, { data, errors }) {
      if (errors !== undefined) return { data: data ?? null, errors: graphql.formatErrors(errors) };
      return undefined;
    },
    onError: (_context, _id, _payload, errors) => [...graphql.formatErrors(errors)],
  });
  return { speakOn: (socket) => speak(server, socket, log) };
}

function speak(server: Server<SocketState>, socket: WebSocket, log: Log): void {
  const closed = server.opened(
    {
      protocol: socket.protocol,
      // Told when it has left this process: until then the next hint merges with those that wait.
      send: (text) =>
        new Promise((resolve, reject) => {
          if (socket.readyState !== socket.OPEN) return resolve();
          socket.send(text, (fault) => {
            readOn(socket);
            if (fault) reject(fault);
            else resolve();
          });
        }),
      close: (code, reason) => socket.close(code, reason),
      onMessage(read) {
        socket.on('message', (message: Buffer, isBinary) => {
          if (isBinary) return socket.close(CLOSE.UNSUPPORTED, 'expected text messages, got a binary one');
          holdBack(socket);
          read(message.toString('utf8')).catch((thrown: unknown) => {
            // A socket that went away while it was answered is nobody's fault.
            if (socket.readyState !== socket.OPEN) return;
            log.error('a message could not be answered', { cause: String(thrown) });
            socket.close(CLOSE.INTERNAL, 'Internal server error');
          });
        });
      },
    },
    { socket },
  );
  socket.once('close', (code, reason) => void closed(code, reason.toString('utf8')));
}

function checkOperations(count: number): void {
  if (count <= MAX_OPERATIONS) return;
  throw new SyncError('LIMIT_EXCEEDED', `expected at most ${MAX_OPERATIONS} operations at once on one socket`);
}

function refusal(thrown: unknown): GraphQLError {
  const error = SyncError.from(thrown);
  return new GraphQLError(error.message, { originalError: error });
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
