import { GatewayFault, type FaultCode } from './gateway.js';
import type { LocalStore, SyncRead } from './local-store.js';
import { createCell, type Observed } from './observed.js';
import { isOpen } from './outbox-entry.js';

/** How syncing stands. */
export interface SyncStatus {
  /** The last request came through, or a line of hints is open. */
  readonly isConnected: boolean;
  readonly isSyncing: boolean;
  /** When a round last ended, ms since 1970; null: never. */
  readonly lastSyncedAtMs: number | null;
  /** Edits that wait for the gateway or for their source. */
  readonly pendingCount: number;
  /** Why the last try failed; null: it did not. */
  readonly error: { readonly code: FaultCode; readonly message: string } | null;
}

/** The status of one client, and who may change it. */
export interface StatusBoard {
  readonly observed: Observed<SyncStatus>;
  say(part: Partial<SyncStatus>): void;
  /** A request came through, or none did. */
  reached(isReached: boolean): void;
  /** A line of hints is open, or not any more. */
  readonly listening: (isUp: boolean) => void;
  readonly failed: (thrown: unknown) => void;
  /** Reads from the store what is pending, and when it synced. */
  readonly refresh: () => Promise<void>;
}

export function createStatusBoard(store: LocalStore, opened: SyncRead): StatusBoard {
  let isReached = false;
  let isUp = false;
  const first = { isConnected: false, isSyncing: false, error: null, ...kept(opened) };
  const cell = createCell<SyncStatus>(first, (thrown) => failed(thrown));
  const say = (part: Partial<SyncStatus>): void => cell.set({ ...cell.get(), ...part });
  function failed(thrown: unknown): void {
    const { code, message } = GatewayFault.from(thrown, 'LOCAL_STORE');
    say({ error: { code, message } });
  }

  return {
    observed: cell,
    say,
    reached(is) {
      isReached = is;
      say({ isConnected: isReached || isUp });
    },
    listening(is) {
      isUp = is;
      say({ isConnected: isReached || isUp });
    },
    failed,
    refresh: async () => say(kept(await store.readSync())),
  };
}

function kept({ state, entries }: SyncRead): Pick<SyncStatus, 'lastSyncedAtMs' | 'pendingCount'> {
  return { lastSyncedAtMs: state?.lastSyncedAtMs ?? null, pendingCount: entries.filter(isOpen).length };
}
