import { createHash } from 'node:crypto';
import { defineConfig } from 'tidegate';
import { machineKey } from 'tidegate/auth';
import { items } from './items-connector.js';

/** The name of a user is its key, long enough to be one. */
const key = (name: string): ReturnType<typeof machineKey> =>
  machineKey({ name, sha256: createHash('sha256').update(name).digest('hex') });

/** The gateway behind sign-in, as it is in production. */
export default defineConfig({
  auth: {
    keys: [key('nurse-of-the-benchmark-7'), key('flooder-of-the-benchmark-7')],
    session: (identity) => ({ user: identity.kind === 'key' ? identity.name : 'nobody', scopes: 'every' }),
  },
  connectors: [items({ baseUrl: process.env['BENCH_SOURCE_URL'] ?? 'http://127.0.0.1:1' })],
});
