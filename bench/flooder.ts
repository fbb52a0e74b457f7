import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { creations, PUSH } from './pushed-items.js';

/**
 * `node flooder.js <url> <per second>`: one user that sends pulls, or pushes of one new record each, at a fixed rate, whatever becomes of those before; a process of its own, so that
 * it is not in the way of who measures. Prints a port, on which it tells how many answers of which status it got.
 */
const [url = '', perSecond = '1000'] = process.argv.slice(2);
// As many connections as it takes: with few of them a flood waits for its answers, and makes up for it afterwards.
const pool = new Pool(url, { pipelining: 1 });
/** Of a pull; those of the other user are of 100. */
const limit = Number(process.env['BENCH_FLOOD_LIMIT'] ?? 100);
const isPushing = process.env['BENCH_FLOOD'] === 'pushes';
const headers = {
  'content-type': 'application/json',
  authorization: 'Bearer flooder-of-the-benchmark-7',
  ...(isPushing ? { 'tidegate-device': 'flooder' } : {}),
};
const pull = JSON.stringify({ query: `{ pull(limit: ${limit}) { changes { id json } checkpoint } }` });
const statuses: Record<string, number> = {};

function count(status: string): void {
  statuses[status] = (statuses[status] ?? 0) + 1;
}

async function send(n: number): Promise<void> {
  const body = isPushing ? JSON.stringify({ query: PUSH, variables: { changes: creations(1, n) } }) : pull;
  try {
    const answer = await pool.request({ path: '/graphql', method: 'POST', headers, body });
    await answer.body.dump();
    count(String(answer.statusCode));
  } catch {
    count('broken');
  }
}

let sent = 0;
const begunAt = performance.now();
setInterval(() => {
  const due = ((performance.now() - begunAt) / 1_000) * Number(perSecond);
  for (; sent < due; sent++) void send(sent);
}, 5);

const server = createServer((_request, response) => response.end(JSON.stringify({ sent, statuses })));
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.stdin.on('end', () => process.exit()).resume();
