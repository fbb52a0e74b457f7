import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as connector from '../../src/connectors/define.js';
import * as rest from '../../src/connectors/rest.js';
import { startGateway } from '../../src/server/app.js';
import { loadConfig } from '../../src/server/config.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { visitsConnector } from '../support/journal-connector.js';
import { startJournalSystem, type JournalSystem } from '../support/journal-system.js';
import { silentLog, startTestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

/** A source with a journal, a Postgres, a gateway, and a bad network in front of it. */
export interface Office {
  readonly system: JournalSystem;
  readonly network: FaultProxy;
  /** Past the network. */
  readonly gatewayUrl: string;
  /** Of GraphQL, past the network, as an operator. */
  ask(query: string, variables?: object): Promise<Readonly<Record<string, unknown>>>;
  stop(): Promise<void>;
}

/** @param patienceMs a push waits so long for the source */
export async function openOffice(options: { readonly visits: number; readonly patienceMs?: number }): Promise<Office> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-office-'));
  const postgres = await startTestPostgres();
  const system = await startJournalSystem({ visits: options.visits, routes: 2 });
  const environment = { PORT: '0', DATABASE_URL: await postgres.freshDatabase(), TIDEGATE_DATA: folder };
  const settings = {
    connectors: [visitsConnector({ ...connector, ...rest }, system.url, 'key')],
    patienceMs: options.patienceMs ?? 2_000,
  };
  const gateway = await startGateway(await loadConfig(environment, folder, settings), { log: silentLog });
  const network = await startFaultProxy(gateway.url);
  await until('the first ingest is over', async () =>
    (await gateway.progress()).every(({ state }) => state === 'READY'),
  );
  return {
    system,
    network,
    gatewayUrl: gateway.url,
    async ask(query, variables = {}) {
      const response = await fetch(`${gateway.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
      });
      const { data, errors } = (await response.json()) as { data: Readonly<Record<string, unknown>>; errors?: unknown };
      if (errors !== undefined) throw new Error(JSON.stringify(errors));
      return data;
    },
    async stop() {
      await network.close();
      await gateway.stop();
      await system.stop();
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
