import type { Auth } from './auth.js';
import { CallFault } from './fault.js';
import type { OpenTransport } from './transport.js';

/** Shorter ones would hide ordinary words; nobody's password should be so short. */
const SHORTEST_SECRET = 6;
const HIDDEN = '[hidden]';

/** What of a source's credentials must not be told: the header's value, without its scheme, and what basic credentials encode. */
export function secretsOf(auth: Auth | null): readonly string[] {
  if (auth === null) return [];
  const bare = auth.value.replace(/^(Basic|Bearer) /, '');
  const decoded = auth.value.startsWith('Basic ') ? Buffer.from(bare, 'base64').toString('utf8') : '';
  const password = decoded.slice(decoded.indexOf(':') + 1);
  const secrets = [auth.value, bare, decoded, password].filter((secret) => secret.length >= SHORTEST_SECRET);
  // Longest first: a part of one must not be hidden before the whole.
  return [...new Set(secrets)].sort((a, b) => b.length - a.length);
}

/** A connection whose faults and answers never repeat its credentials: some sources say "bad token …", and users read that. */
export function hideSecrets(transport: OpenTransport, secrets: readonly string[]): OpenTransport {
  if (secrets.length === 0) return transport;
  const hidden = (text: string): string => secrets.reduce((told, secret) => told.replaceAll(secret, HIDDEN), text);

  async function without<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (thrown) {
      if (!(thrown instanceof CallFault) || hidden(thrown.message) === thrown.message) throw thrown;
      const { kind, retryAfterMs, sourceIsSick } = thrown;
      throw new CallFault(kind, hidden(thrown.message), { retryAfterMs, sourceIsSick });
    }
  }

  return {
    readPage: (...call) => without(transport.readPage(...call)),
    readRow: (...call) => without(transport.readRow(...call)),
    lookUp: (...call) => without(transport.lookUp(...call)),
    async write(...call) {
      const answer = await without(transport.write(...call));
      if (answer.kind === 'refused') return { ...answer, message: hidden(answer.message) };
      return 'reason' in answer ? { ...answer, reason: hidden(answer.reason) } : answer;
    },
    close: () => transport.close(),
  };
}
