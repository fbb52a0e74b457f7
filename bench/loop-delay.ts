import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/**
 * Loaded into the gateway by `--import`: tells on the socket file of `BENCH_LOOP_SOCKET` for how long its event loop stood still at most since
 * it was last asked, in ms as text.
 */
const file = process.env['BENCH_LOOP_SOCKET'];
if (file !== undefined) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const server = createServer((_request, response) => {
    response.end(String(delay.max / 1e6));
    delay.reset();
  });
  rmSync(file, { force: true });
  server.listen(file).unref();
}
