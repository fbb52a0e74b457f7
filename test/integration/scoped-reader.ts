import type { Change } from '../../src/core/change.js';
import type { Session } from '../../src/core/session.js';
import { fullShape } from '../../src/core/shape.js';
import type { Pull } from '../../src/pull/pull.js';

/** A nurse who sees one route of `visits`, as development mode knows none: the use case itself, with listed scopes. */
export interface ScopedReader {
  readonly route: string;
  /** id → note, as her phone holds it. */
  readonly held: ReadonlyMap<string, unknown>;
  readonly resets: number;
  /** One page, applied. @returns whether there is more */
  page(): Promise<boolean>;
}

const SHAPE = fullShape(['visits'], 'scoped');

export function createScopedReader(pull: Pull, route: string, limit: number): ScopedReader {
  const scopes = [`route:${route}`];
  const session: Session = {
    tenant: 'default',
    user: `nurse of ${route}`,
    device: 'phone',
    grant: { kind: 'listed', scopes },
  };
  const held = new Map<string, unknown>();
  let since: string | null = null;
  let resets = 0;
  return {
    route,
    held,
    get resets() {
      return resets;
    },
    async page() {
      const page = await pull(session, { since, collections: ['visits'], limit, shape: SHAPE });
      if (page.reset) {
        held.clear();
        resets += 1;
      }
      const text = page.texts.map((bytes) => Buffer.from(bytes).toString()).join(',');
      for (const { id, kind, json } of JSON.parse(`[${text}]`) as Change[]) {
        if (kind === 'UPSERT') held.set(id, json?.['note']);
        else held.delete(id);
      }
      since = page.checkpoint;
      return page.hasMore;
    },
  };
}
