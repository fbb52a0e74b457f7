import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The physical limit of an answer: a ready Buffer over node:http. `node ready-bytes.js <bytes>`; prints its port. */
const body = Buffer.alloc(Number(process.argv[2] ?? 0), 'x');
const headers = { 'content-type': 'application/json', 'content-length': body.length };
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => response.writeHead(200, headers).end(body));
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();
