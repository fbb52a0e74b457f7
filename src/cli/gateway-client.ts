import { StartupError } from '../core/errors.js';
import { loadConfig } from '../server/config.js';
import type { OwnOperation } from './own-operations.js';

/** Asks a running gateway, as any client would: over its GraphQL endpoint. */
export interface GatewayClient {
  /**
   * @returns the operation's data
   * @throws StartupError gateway - it cannot be reached, or does not answer as one; refused - with the gateway's reason
   */
  ask<Answer>(operation: OwnOperation, variables: Readonly<Record<string, unknown>>): Promise<Answer>;
}

/** Settling a change reads it at its source, within the time of a call there. */
const WITHIN_MS = 60_000;
/** Codes that say that the gateway could not, not that it would not. */
const NOT_ABLE = new Set(['UNAVAILABLE', 'INTERNAL']);
/** Where a gateway listens on every address, this machine reaches it by its own. */
const ANY_HOST: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * The gateway of an address; without one that of this folder's configuration and environment. TIDEGATE_TOKEN goes along as bearer token.
 *
 * @throws StartupError config - the address is none, or the configuration cannot be read
 */
export async function connectGateway(
  env: Readonly<Record<string, string | undefined>>,
  url: string | undefined,
): Promise<GatewayClient> {
  const endpoint = url === undefined ? await configuredEndpoint(env) : endpointOf(url);
  const token = env['TIDEGATE_TOKEN'] ?? '';
  const headers = {
    'content-type': 'application/json',
    ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
  };

  async function post(body: string): Promise<GraphqlAnswer> {
    let answer: Response;
    try {
      answer = await fetch(endpoint, { method: 'POST', headers, body, signal: AbortSignal.timeout(WITHIN_MS) });
    } catch (cause) {
      throw new StartupError('gateway', `${endpoint}: expected a running gateway, got ${reasonOf(cause)}`, { cause });
    }
    const text = await answer.text().catch(() => '');
    const parsed = parse(text);
    if (parsed !== null) return parsed;
    throw new StartupError('gateway', `${endpoint}: expected the answer of a gateway, got HTTP ${answer.status}`);
  }

  return {
    async ask<Answer>({ document }: OwnOperation, variables: Readonly<Record<string, unknown>>): Promise<Answer> {
      const { data, errors } = await post(JSON.stringify({ query: document, variables }));
      const [error] = errors ?? [];
      if (error === undefined && data !== null && data !== undefined) return data as Answer;
      const code = error?.extensions?.code ?? 'INTERNAL';
      const message = error?.message ?? 'an answer without data';
      // The API's word for it is an argument, here it is an option.
      const hint = error?.extensions?.field === 'mayApplyTwice' ? '; say --yes if that may be' : '';
      throw new StartupError(NOT_ABLE.has(code) ? 'gateway' : 'refused', `${code}: ${message}${hint}`);
    },
  };
}

interface GraphqlAnswer {
  readonly data?: unknown;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: string; readonly field?: string };
  }[];
}

function parse(text: string): GraphqlAnswer | null {
  try {
    const parsed = JSON.parse(text) as unknown;
    const isAnswer = typeof parsed === 'object' && parsed !== null && ('data' in parsed || 'errors' in parsed);
    return isAnswer ? (parsed as GraphqlAnswer) : null;
  } catch {
    return null;
  }
}

async function configuredEndpoint(env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const { host, port } = await loadConfig(env, process.cwd());
  const name = ANY_HOST[host] ?? host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}/graphql`;
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new StartupError(
      'config',
      `--url: expected an address like http://127.0.0.1:4000, got ${JSON.stringify(text)}`,
    );
  }
  if (url.pathname === '/') url.pathname = '/graphql';
  return url.href;
}

/** What fetch wraps: the system's own words. */
function reasonOf(thrown: unknown): string {
  const { name, message, cause } = thrown as Error;
  if (name === 'TimeoutError') return `no answer within ${WITHIN_MS / 1_000} s`;
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}
