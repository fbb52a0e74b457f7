import { defineConfig } from 'tidegate';
import { items } from './items-connector.js';

/** The gateway that hints sleeping phones: each once in a run. */
export default defineConfig({
  push: { fcm: { endpoint: process.env['BENCH_PUSH_URL'] ?? 'http://127.0.0.1:1' }, windowsMs: { android: 3_600_000 } },
  connectors: [items({ baseUrl: process.env['BENCH_SOURCE_URL'] ?? 'http://127.0.0.1:1' })],
});
