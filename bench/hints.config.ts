import { defineConfig } from 'tidegate';
import { items } from './items-connector.js';

const devices = Number(process.env['BENCH_DEVICES'] ?? 1);
/** Of each user, one of them everybody's. */
const scopes = Number(process.env['BENCH_SCOPES'] ?? 1);

const scopesOf = (user: number): readonly string[] => [
  'shared',
  ...Array.from({ length: scopes - 1 }, (_, n) => `route:${user}-${n}`),
];

/** The gateway whose hints are measured: as many users as devices. */
export default defineConfig({
  developmentUsers: Object.fromEntries(
    Array.from({ length: devices }, (_, user) => [`u${user}`, { scopes: [...scopesOf(user)] }]),
  ),
  maxSockets: 1_000_000,
  connectors: [items({ baseUrl: process.env['BENCH_SOURCE_URL'] ?? 'http://127.0.0.1:1' })],
});
