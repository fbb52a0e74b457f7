import { GatewayFault } from './gateway.js';
import type { LocalStore } from './local-store.js';
import type { SyncEngine } from './sync-engine.js';
import type { StatusBoard } from './sync-status.js';

/**
 * Push before pull; what came to be sent meanwhile, and what waited for an epoch, once more.
 *
 * @returns one cycle; true: something stays queued, to be tried again soon
 */
export function createSyncCycle(engine: SyncEngine, store: LocalStore, board: StatusBoard): () => Promise<boolean> {
  async function pushAndPull(): Promise<void> {
    const pushed = await engine.push().catch((thrown: unknown) => GatewayFault.from(thrown, 'LOCAL_STORE'));
    // A change that the gateway cannot take keeps nobody from what others did; where there is no network, there is none.
    if (pushed instanceof GatewayFault && pushed.code !== 'INTERNAL') throw pushed;
    await engine.pull();
    if (pushed instanceof GatewayFault) throw pushed;
    if ((await engine.push()) > 0) await engine.pull();
  }

  return async () => {
    board.say({ isSyncing: true });
    try {
      await pushAndPull();
      board.reached(true);
      board.say({ error: null });
    } catch (thrown) {
      const fault = GatewayFault.from(thrown, 'LOCAL_STORE');
      board.reached(fault.code !== 'UNREACHABLE');
      board.failed(fault);
      throw fault;
    } finally {
      await board.refresh().catch((thrown: unknown) => board.failed(thrown));
      board.say({ isSyncing: false });
    }
    const { entries } = await store.readSync();
    return entries.some((entry) => entry.status === null);
  };
}
