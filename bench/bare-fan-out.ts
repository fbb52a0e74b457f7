import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { serveFanOut } from './fan-out.js';

/** The limit of hints: the same bytes to every socket of a bare `ws` server, nothing else. `node bare-fan-out.js <text>`. */
const text = Buffer.from(process.argv[2] ?? '');
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 4_096 });
server.on('listening', () => {
  serveFanOut({
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async sendToAll() {
      const begunNs = process.hrtime.bigint();
      for (const socket of server.clients) socket.send(text, { binary: false });
      return begunNs;
    },
    stop: async () => undefined,
  });
});
