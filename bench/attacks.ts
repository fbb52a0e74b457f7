import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { HOSTILE_REQUESTS } from './hostile-requests.js';
import { median, report, timed } from './measure.js';
import { GUARDED_CONFIG, startGateway, startInstantSource } from './processes.js';

const ROUNDS = 9;
const GOAL_MS = 50;

/**
 * How soon hostile requests are answered, and for how long the gateway's event loop stood still for each (goal: 50 ms for both), the median
 * and the worst of several rounds.
 */
export async function benchAttacks(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-loop-'));
  const socket = path.join(folder, 'loop');
  const source = await startInstantSource(100);
  const gateway = await startGateway(source.url, {
    TIDEGATE_CONFIG: GUARDED_CONFIG,
    BENCH_LOOP_SOCKET: socket,
    NODE_OPTIONS: `--import=${fileURLToPath(new URL('loop-delay.js', import.meta.url))}`,
  });
  const pool = new Pool(gateway.url, { connections: 1, pipelining: 1 });
  const headers = { 'content-type': 'application/json', authorization: 'Bearer nurse-of-the-benchmark-7' };
  for (const { attack, what, body } of HOSTILE_REQUESTS) {
    const answers: number[] = [];
    const stalls: number[] = [];
    let status = 0;
    // The first round warms up.
    for (let round = 0; round <= ROUNDS; round++) {
      await longestDelay(socket);
      const { ms, value } = await timed(async () => {
        const answer = await pool.request({ path: '/graphql', method: 'POST', headers, body });
        await answer.body.dump();
        return answer.statusCode;
      });
      status = value;
      // Whatever is still to come of it.
      await new Promise((resolve) => setTimeout(resolve, 20));
      const stallMs = await longestDelay(socket);
      if (round === 0) continue;
      answers.push(ms);
      stalls.push(stallMs);
    }
    report({
      bench: 'attacks',
      attack,
      what,
      bytes: body.length,
      status,
      answeredMs: median(answers),
      longestMs: Math.max(...answers),
      stallMs: median(stalls),
      longestStallMs: Math.max(...stalls),
      goalMs: GOAL_MS,
    });
  }
  await pool.close();
  await gateway.stop();
  await source.stop();
  rmSync(folder, { recursive: true });
}

function longestDelay(socketPath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: '/' }, (answer) => {
      answer.setEncoding('utf8');
      let text = '';
      answer.on('data', (piece: string) => (text += piece)).on('end', () => resolve(Number(text)));
    })
      .on('error', reject)
      .end();
  });
}
