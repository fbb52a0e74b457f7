import type { PhoneStore } from '../core/phone-port.js';
import type { Clock, Log } from '../core/ports.js';
import type { DeviceKey } from '../core/session.js';

/** A socket counts as open for so long after its last pong (F27): a half-open one silences messages to its phone no longer. */
const COUNTS_MS = 30_000;
/** What changed is written this often, all of it together. */
const WRITE_EVERY_MS = 3_000;
/** A row is written anew when it is good for less than this: not for each pong, and before it ends. */
const RENEW_BELOW_MS = 15_000;

/** Which devices are awake at this gateway, for all gateways to know. Never throws, and holds no socket up. */
export interface OpenSockets {
  opened(device: DeviceKey): OpenSocket;
  start(): void;
  /** Nobody is awake here any more. */
  stop(): Promise<void>;
}

export interface OpenSocket {
  /** It gave a sign of life. */
  seen(): void;
  /** Safe to repeat. */
  closed(): void;
}

/** @param options.node this process, as other gateways see it */
export function createOpenSockets(
  ports: {
    readonly store: Pick<PhoneStore, 'noteAwake' | 'noteAsleep'>;
    readonly clock: Clock;
    readonly log: Log;
  },
  { node }: { readonly node: string },
): OpenSockets {
  const { store, clock, log } = ports;
  const devices = new Map<string, OpenDevice>();
  const stopping = new AbortController();
  let running: Promise<void> | null = null;

  async function write(): Promise<void> {
    const nowMs = clock.monotonicMs();
    const all = [...devices.values()];
    const closed = all.filter(({ sockets }) => sockets.size === 0);
    for (const { key } of closed) devices.delete(nameOf(key));
    const open = all.filter(({ sockets, writtenUntilMs }) => {
      const untilMs = lastSeen(sockets) + COUNTS_MS;
      return untilMs > Math.max(nowMs, writtenUntilMs) && writtenUntilMs - nowMs < RENEW_BELOW_MS;
    });
    for (const one of open) one.writtenUntilMs = lastSeen(one.sockets) + COUNTS_MS;
    try {
      for (const [tenant, some] of byTenant(closed)) {
        await store.noteAsleep(
          tenant,
          node,
          some.map(({ key }) => key),
        );
      }
      for (const [tenant, some] of byTenant(open)) {
        const sockets = some.map(({ key, writtenUntilMs }) => ({ device: key, forMs: writtenUntilMs - nowMs }));
        const unregistered = await store.noteAwake(tenant, node, sockets);
        // It may register in a moment: apps open their socket first.
        for (const key of unregistered) forget(devices.get(nameOf(key)));
      }
    } catch (cause) {
      // Rows end by themselves; what was not written is tried again.
      for (const one of open) forget(one);
      log.warn('hints: who is awake is not noted, trying again', { cause: String(cause) });
    }
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.wait(WRITE_EVERY_MS, stopping.signal).catch(() => undefined);
      if (!stopping.signal.aborted) await write();
    }
  }

  return {
    opened(key) {
      const name = nameOf(key);
      const device = devices.get(name) ?? { key, sockets: new Map(), writtenUntilMs: Number.NEGATIVE_INFINITY };
      devices.set(name, device);
      const socket = Symbol(name);
      const seen = (): void => void device.sockets.set(socket, clock.monotonicMs());
      seen();
      return { seen, closed: () => void device.sockets.delete(socket) };
    },
    start() {
      running ??= loop();
    },
    async stop() {
      stopping.abort(new Error('the gateway stops'));
      await running;
      for (const { sockets } of devices.values()) sockets.clear();
      await write();
    },
  };
}

interface OpenDevice {
  readonly key: DeviceKey;
  /** When each of its sockets gave its last sign of life. */
  readonly sockets: Map<symbol, number>;
  writtenUntilMs: number;
}

/** What was written of it does not count. */
function forget(device: OpenDevice | undefined): void {
  if (device !== undefined) device.writtenUntilMs = Number.NEGATIVE_INFINITY;
}

function lastSeen(sockets: OpenDevice['sockets']): number {
  return Math.max(...sockets.values());
}

function byTenant(devices: readonly OpenDevice[]): ReadonlyMap<string, readonly OpenDevice[]> {
  const found = new Map<string, OpenDevice[]>();
  for (const one of devices) {
    const some = found.get(one.key.tenant) ?? [];
    some.push(one);
    found.set(one.key.tenant, some);
  }
  return found;
}

function nameOf({ tenant, user, device }: DeviceKey): string {
  return JSON.stringify([tenant, user, device]);
}
