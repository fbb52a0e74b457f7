import { benchAttacks } from './attacks.js';
import { benchBudget } from './budget.js';
import { benchClients } from './clients.js';
import { benchClient } from './client.js';
import { benchFlood } from './flood.js';
import { benchFreshness } from './freshness.js';
import { benchHints } from './hints.js';
import { benchIngest } from './ingest.js';
import { benchInitialSync } from './initial-sync.js';
import { benchNodes } from './nodes.js';
import { benchOutage } from './outage.js';
import { benchPhones } from './phones.js';
import { benchPoll } from './poll.js';
import { benchPull } from './pull.js';
import { benchPush } from './push.js';
import { benchScan } from './scan.js';
import { benchScopes } from './scopes.js';
import { benchSoap } from './soap.js';

/** `npm run bench -- <name>`: one command per figure, one JSON line per row. */
const BENCHES: Readonly<Record<string, () => Promise<void>>> = {
  pull: benchPull,
  'initial-sync': benchInitialSync,
  poll: benchPoll,
  push: benchPush,
  ingest: benchIngest,
  scan: benchScan,
  scopes: benchScopes,
  freshness: benchFreshness,
  budget: benchBudget,
  outage: benchOutage,
  soap: benchSoap,
  attacks: benchAttacks,
  clients: benchClients,
  flood: benchFlood,
  phones: benchPhones,
  hints: benchHints,
  nodes: benchNodes,
  client: benchClient,
};

const name = process.argv[2] ?? '';
const bench = BENCHES[name];
if (bench === undefined) {
  console.error(`npm run bench -- <name>: expected one of ${Object.keys(BENCHES).join(', ')}, got "${name}"`);
  process.exitCode = 2;
} else await bench();
