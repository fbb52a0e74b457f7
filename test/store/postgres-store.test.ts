import { openStore } from '../../src/store/open.js';
import { systemClock } from '../../src/server/clock.js';
import { runStoreContract } from '../contract/store.contract.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';

let server: TestPostgres;

beforeAll(async () => {
  server = await startTestPostgres();
});

afterAll(() => server.stop());

runStoreContract('the store in Postgres', async () =>
  openStore({ url: await server.freshDatabase(), clock: systemClock, log: silentLog }),
);
