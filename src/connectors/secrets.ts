import { inWords, retold } from './retold.js';
import type { OpenTransport } from './transport.js';

/** Shorter ones would hide ordinary words; nobody's password should be so short. */
const SHORTEST_SECRET = 6;
/** Tokens that sign-ins brought and that may still be told: those of the calls under way, and of some before them. */
const KEPT_TOKENS = 32;
const HIDDEN = '[hidden]';

/** What of a source's credentials must not be told. */
export interface Secrets {
  /** These came meanwhile, like a token. */
  add(texts: readonly string[]): void;
  /** A text without what is secret. */
  hide(text: string): string;
}

/** @param own are hidden as long as the source is open; those that are added later make room for newer ones */
export function createSecrets(own: readonly string[]): Secrets {
  let tokens: readonly string[] = [];
  let hidden = longestFirst(own);
  return {
    add(texts) {
      tokens = [...new Set([...texts, ...tokens])].slice(0, KEPT_TOKENS);
      hidden = longestFirst([...own, ...tokens]);
    },
    hide: (text) => hidden.reduce((told, secret) => told.replaceAll(secret, HIDDEN), text),
  };
}

/** A part of a secret must not be hidden before the whole. */
function longestFirst(texts: readonly string[]): readonly string[] {
  const secrets = texts.filter((text) => text.length >= SHORTEST_SECRET);
  return [...new Set(secrets)].sort((a, b) => b.length - a.length);
}

/** A connection whose faults and answers never repeat its credentials: some sources say "bad token …", and users read that. */
export function hideSecrets(transport: OpenTransport, secrets: Secrets): OpenTransport {
  return retold(transport, {
    fault(fault) {
      const message = secrets.hide(fault.message);
      return message === fault.message ? fault : inWords(fault, message);
    },
    answer(answer) {
      if (answer.kind === 'refused') return { ...answer, message: secrets.hide(answer.message) };
      return 'reason' in answer ? { ...answer, reason: secrets.hide(answer.reason) } : answer;
    },
  });
}
