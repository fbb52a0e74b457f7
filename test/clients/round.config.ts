import { defineConfig } from 'tidegate';
import { round } from './round-connector.js';

/** The gateway of the conformance matrix: a nurse who sees the northern route, and an office that sees all. */
export default defineConfig({
  connectors: [round(process.env['ROUND_SOURCE_URL'] ?? 'http://127.0.0.1:1')],
  developmentUsers: {
    nurse: { scopes: ['route:north'] },
    office: { scopes: 'every', isOperator: true },
  },
  patienceMs: 300,
  hintWindowMs: 0,
  maxChangesPerPush: Number(process.env['ROUND_CHANGES_PER_PUSH'] ?? 1_000),
});
