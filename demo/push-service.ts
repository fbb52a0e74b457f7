import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What Firebase Cloud Messaging can say to one message, by what is wrong with its token, its project or itself. */
export type PushAnswer =
  | 'taken'
  | 'unregistered'
  | 'malformedToken'
  | 'otherSender'
  | 'noRole'
  | 'brokenApnsKey'
  | 'badAccessToken'
  | 'overQuota'
  | 'unavailable'
  | 'internal'
  | 'html502'
  | 'silence'
  | 'reset';

/** One message that came. */
export interface PushedMessage {
  readonly project: string;
  /** The whole message, as it stood in the request. */
  readonly message: Readonly<Record<string, unknown>> & { readonly token: string };
  /** The bearer token that it came with. */
  readonly accessToken: string;
  readonly answer: PushAnswer;
  readonly atMs: number;
}

export interface PushServiceOptions {
  /** Loopback by default. */
  readonly host?: string;
  /** 0, the default: any free port. */
  readonly port?: number;
  /** Of 429 and 503, as the header has it; null: without. A minute by default. */
  readonly retryAfter?: string | null;
  /** Called for each message. */
  readonly told?: (pushed: PushedMessage) => void;
}

/** A stand-in for Firebase Cloud Messaging (HTTP v1) on this machine, and for where its access tokens come from. */
export interface PushService {
  /** Like http://127.0.0.1:5003. */
  readonly url: string;
  /** Everything that came, also what was not taken, in its order. */
  readonly pushed: readonly PushedMessage[];
  /** What a token's next messages are answered with, one after the other; the last one stays. */
  answer(token: string, ...answers: readonly [PushAnswer, ...PushAnswer[]]): void;
  /** What every message is answered with that has no answers of its own; `taken` at first. */
  answerAll(answer: PushAnswer): void;
  /** Whether accounts get access tokens: no, as of a key that was revoked. */
  refuseAccounts(refuse: boolean): void;
  /** As at its start: it has seen nothing and takes everything. */
  forget(): void;
  /** Safe to repeat. */
  stop(): Promise<void>;
}

const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError';
const SEND_PATH = /^\/v1\/projects\/([^/]+)\/messages:send$/;
/** Where Google's library fetches access tokens. */
const TOKEN_PATH = '/token';
const HOUR_S = 3_600;

/** Status, Google's own word for it, FCM's word where it has one, and a sentence, as the real service has them. */
type Fault = readonly [status: number, code: string, fcmCode: string | null, message: string];
const FAULTS: Readonly<Record<Exclude<PushAnswer, 'taken' | 'html502' | 'silence' | 'reset'>, Fault>> = {
  unregistered: [404, 'NOT_FOUND', 'UNREGISTERED', 'Requested entity was not found.'],
  malformedToken: [
    400,
    'INVALID_ARGUMENT',
    'INVALID_ARGUMENT',
    'The registration token is not a valid FCM registration token',
  ],
  otherSender: [403, 'PERMISSION_DENIED', 'SENDER_ID_MISMATCH', 'SenderId mismatch'],
  noRole: [
    403,
    'PERMISSION_DENIED',
    null,
    "Permission 'cloudmessaging.messages.create' denied on resource '//cloudresourcemanager.googleapis.com/projects/demo' (or it may not exist).",
  ],
  brokenApnsKey: [401, 'UNAUTHENTICATED', 'THIRD_PARTY_AUTH_ERROR', 'Auth error from APNS or Web Push Service'],
  badAccessToken: [401, 'UNAUTHENTICATED', null, 'Request had invalid authentication credentials.'],
  overQuota: [429, 'RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED', 'Quota exceeded for quota metric.'],
  unavailable: [503, 'UNAVAILABLE', 'UNAVAILABLE', 'The service is currently unavailable.'],
  internal: [500, 'INTERNAL', 'INTERNAL', 'Internal error encountered.'],
};

/** Starts it. @throws Error - the port is taken */
export async function startPushService(options: PushServiceOptions = {}): Promise<PushService> {
  const { host = '127.0.0.1', port = 0, retryAfter = '60', told = () => undefined } = options;
  const pushed: PushedMessage[] = [];
  const scripts = new Map<string, PushAnswer[]>();
  let usual: PushAnswer = 'taken';
  let refusesAccounts = false;

  function nextAnswer(token: string): PushAnswer {
    const [next = usual, ...rest] = scripts.get(token) ?? [];
    if (rest.length > 0) scripts.set(token, rest);
    return next;
  }

  function take(project: string, request: IncomingMessage, body: unknown, response: ServerResponse): void {
    const accessToken = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (accessToken === undefined) return answerFault(response, FAULTS.badAccessToken);
    const message = messageOf(body);
    if (typeof message === 'string')
      return answerFault(response, [400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT', message]);
    const answer = nextAnswer(message.token);
    const one = { project, message, accessToken, answer, atMs: Date.now() };
    pushed.push(one);
    told(one);
    if (answer === 'taken') return answerJson(response, 200, { name: `projects/${project}/messages/${pushed.length}` });
    if (answer === 'silence') return;
    if (answer === 'reset') return void request.socket.resetAndDestroy();
    if (answer === 'html502') {
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html><title>Error 502</title></html>');
      return;
    }
    if ((answer === 'overQuota' || answer === 'unavailable') && retryAfter !== null)
      response.setHeader('retry-after', retryAfter);
    answerFault(response, FAULTS[answer]);
  }

  const server = createServer((request, response) => {
    void readJson(request).then((body) => {
      const project = request.method === 'POST' ? SEND_PATH.exec(request.url ?? '')?.[1] : undefined;
      if (project !== undefined) take(project, request, body, response);
      else if (request.url !== TOKEN_PATH)
        response.writeHead(404, { 'content-type': 'text/html' }).end('<html></html>');
      else if (refusesAccounts)
        answerJson(response, 400, { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' });
      else answerJson(response, 200, { access_token: 'local-access-token', expires_in: HOUR_S, token_type: 'Bearer' });
    });
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    pushed,
    answer: (token, ...answers) => void scripts.set(token, [...answers]),
    answerAll: (answer) => void (usual = answer),
    refuseAccounts: (refuse) => void (refusesAccounts = refuse),
    forget() {
      pushed.length = 0;
      scripts.clear();
      usual = 'taken';
      refusesAccounts = false;
    },
    stop: () => close(server),
  };
}

/** FCM's own checks, in short: what is wrong with the message, or the message. */
function messageOf(body: unknown): PushedMessage['message'] | string {
  const { message } = (body ?? {}) as { readonly message?: unknown };
  if (typeof message !== 'object' || message === null) return 'Invalid JSON payload received.';
  const { token, data = {} } = message as { readonly token?: unknown; readonly data?: unknown };
  if (typeof token !== 'string' || token === '') return 'Recipient of the message is not set.';
  if (typeof data !== 'object' || data === null || !Object.values(data).every((value) => typeof value === 'string'))
    return "Invalid value at 'message.data' (TYPE_STRING)";
  const { token: _token, ...payload } = message as { readonly token: string };
  if (JSON.stringify(payload).length > MAX_PAYLOAD_BYTES) return 'Message is too big.';
  return message as PushedMessage['message'];
}

const MAX_PAYLOAD_BYTES = 4_096;

function answerFault(response: ServerResponse, [status, code, fcmCode, message]: Fault): void {
  const details = fcmCode === null ? [] : [{ '@type': FCM_ERROR, errorCode: fcmCode }];
  answerJson(response, status, { error: { code: status, message, status: code, details } });
}

function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(body));
}

/** Null: no JSON. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return null;
  }
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}
