import { EventEmitter } from 'node:events';
import type { WebSocket } from 'ws';
import {
  createSocketUpkeep,
  holdBack,
  MAX_WAITING_BYTES,
  readOn,
  type SocketUpkeep,
} from '../../src/server/socket-upkeep.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { silentLog } from '../support/postgres.js';

const KEEP_ALIVE_MS = 12_000;

/** A client's end of which only these things are known. */
class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  isPaused = false;
  readonly told: string[] = [];
  ping(): void {
    this.told.push('ping');
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  close(code: number): void {
    this.readyState = 2;
    this.told.push(`close ${code}`);
  }
  terminate(): void {
    this.told.push('terminate');
    this.emit('close');
  }
}

let clock: ManualClock;
let upkeep: SocketUpkeep;

beforeEach(() => {
  clock = createManualClock();
  upkeep = createSocketUpkeep({ clock, log: silentLog }, KEEP_ALIVE_MS);
});

afterEach(() => upkeep.stop());

function watched(): FakeSocket {
  const socket = new FakeSocket();
  upkeep.add(socket as unknown as WebSocket);
  return socket;
}

async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a socket', () => {
  test('is asked every twelve seconds, and stays while it answers', async () => {
    const socket = watched();
    for (let n = 1; n <= 3; n++) {
      await pass(12);
      expect(socket.told).toHaveLength(n);
      socket.emit('pong');
    }
    expect(socket.told).toEqual(['ping', 'ping', 'ping']);
  });

  test('that does not answer is cut off after another twelve, once', async () => {
    const socket = watched();
    await pass(23);
    expect(socket.told).toEqual(['ping']);
    await pass(1);
    expect(socket.told).toEqual(['ping', 'terminate']);
    await pass(30);
    expect(socket.told).toHaveLength(2);
  });

  test('that is behind for a while and catches up stays', async () => {
    const socket = watched();
    socket.bufferedAmount = MAX_WAITING_BYTES + 1;
    await pass(9);
    socket.bufferedAmount = 0;
    await pass(1);
    socket.bufferedAmount = MAX_WAITING_BYTES + 1;
    await pass(9);
    expect(socket.told).toEqual([]);
    expect(upkeep.droppedSlow()).toBe(0);
  });

  test('that is behind for ten seconds is closed with 4411, and cut off five later if it does not come so far', async () => {
    const socket = watched();
    socket.bufferedAmount = MAX_WAITING_BYTES + 1;
    await pass(11);
    expect(socket.told).toEqual(['close 4411']);
    expect(upkeep.droppedSlow()).toBe(1);
    await pass(4);
    expect(socket.told).toHaveLength(1);
    await pass(1);
    expect(socket.told).toEqual(['close 4411', 'terminate']);
  });

  test('attack 10: that is behind is not read until it has caught up', async () => {
    const socket = watched();
    const asWebSocket = socket as unknown as WebSocket;
    socket.bufferedAmount = MAX_WAITING_BYTES;
    holdBack(asWebSocket);
    expect(socket.isPaused).toBe(false);
    socket.bufferedAmount += 1;
    socket.emit('ping');
    expect(socket.isPaused).toBe(true);
    readOn(asWebSocket);
    expect(socket.isPaused).toBe(true);
    socket.bufferedAmount -= 1;
    await pass(1);
    expect(socket.isPaused).toBe(false);
  });
});
