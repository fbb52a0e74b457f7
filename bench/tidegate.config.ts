import { defineConfig } from 'tidegate';
import type { Duration } from 'tidegate/connector';
import { items } from './items-connector.js';

const perSecond = process.env['BENCH_SOURCE_PER_SECOND'];

/** The gateway that is measured: the product as it is, in front of the instant source. */
export default defineConfig({
  connectors: [
    items({
      baseUrl: process.env['BENCH_SOURCE_URL'] ?? 'http://127.0.0.1:1',
      concurrent: Number(process.env['BENCH_SOURCE_CONCURRENCY'] ?? 8),
      scanEvery: (process.env['BENCH_SCAN_EVERY'] ?? '1d') as Duration,
      ...(perSecond === undefined ? {} : { perSecond: Number(perSecond) }),
    }),
  ],
});
