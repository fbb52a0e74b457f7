import type { LocalStore } from '../../src/client/local-store.js';
import { createMemoryStore, emptyContents, type MemoryContents } from '../../src/client/memory-store.js';
import type { SyncClientOptions } from '../../src/client/client-options.js';
import { createSyncClient, type SyncClient } from '../../src/client/sync-client.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { seededChance } from '../support/seeded-chance.js';
import { createScriptedGateway, upsert, type ScriptedGateway } from './scripted-gateway.js';

interface Visit {
  readonly notes: string | null;
  readonly status: string | null;
}

/** A nurse's tablet in front of a scripted gateway. */
export interface Tablet {
  readonly client: SyncClient<{ visits: Visit; patients: { readonly name: string } }>;
  readonly gateway: ScriptedGateway;
  readonly store: LocalStore;
  readonly contents: MemoryContents;
  readonly clock: ManualClock;
  /** What the app was told, in order. */
  readonly heard: string[];
  /** The app starts anew on what it keeps. */
  reopen(options?: Partial<SyncClientOptions>): Promise<Tablet>;
}

export async function openTablet(
  options: Partial<SyncClientOptions> = {},
  contents: MemoryContents = emptyContents(),
  gateway: ScriptedGateway = createScriptedGateway(),
): Promise<Tablet> {
  const clock = createManualClock();
  const heard: string[] = [];
  const store = createMemoryStore(contents);
  const client: Tablet['client'] = await createSyncClient({
    url: 'http://ward.example/graphql',
    store,
    gateway,
    clock,
    chance: seededChance(contents.entries.size + 7),
    on: {
      fate: ({ status }) => heard.push(`fate ${status}`),
      conflict: ({ id }) => heard.push(`conflict ${id}`),
      rejected: ({ id, error }) => heard.push(`rejected ${id} ${error?.code}`),
      parked: ({ id }) => heard.push(`parked ${id}`),
      unanswered: ({ id }) => heard.push(`unanswered ${id}`),
      reset: (reason) => heard.push(`reset ${reason}`),
      revoked: () => heard.push('revoked'),
    },
    triggers: () => () => undefined,
    ...options,
  });
  return {
    client,
    gateway,
    store,
    contents,
    clock,
    heard,
    async reopen(other = {}) {
      await client.close();
      return openTablet({ ...options, ...other }, contents, gateway);
    },
  };
}

/** One that has pulled two visits. */
export async function openFilledTablet(options: Partial<SyncClientOptions> = {}): Promise<Tablet> {
  const tablet = await openTablet(options);
  const json = { notes: 'as planned', status: 'planned' };
  tablet.gateway.pages.push({ changes: [upsert('V-1', json), upsert('V-2', json)] });
  await tablet.client.sync();
  return tablet;
}

/** Everything that needs no time has come to rest. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
