import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  changeNumber,
  collection,
  defineConnector,
  deletesByLog,
  field,
  hmac,
  sharedSecret,
  type WebhookFacts,
} from '../../src/connectors/define.js';
import { get, rest } from '../../src/connectors/rest.js';
import type { Config } from '../../src/server/config.js';
import { examine, type CollectionReport, type Finding } from '../../src/server/examine.js';
import { startScripted, type ScriptedSource } from '../connectors/scripted-source.js';
import { silentLog } from '../support/postgres.js';

const SECRET = 'a secret of the source';
let source: ScriptedSource;
let folder: string;
beforeEach(async () => {
  source = await startScripted();
  folder = mkdtempSync(path.join(tmpdir(), 'tidegate-examine-'));
});
afterEach(async () => {
  await source.close();
  rmSync(folder, { recursive: true, force: true });
});

async function looked(webhook?: WebhookFacts): Promise<readonly (Finding | CollectionReport)[]> {
  const since = changeNumber({ param: 'since', member: 'rev', inclusive: false, gap: 0 });
  const connector = defineConnector({
    source: 'clinic',
    transport: rest({ baseUrl: source.url }),
    ...(webhook === undefined ? {} : { webhook }),
    collections: {
      visits: collection({
        type: 'Visit',
        key: 'id',
        fields: { note: field.string() },
        read: {
          list: get('/visits'),
          one: get('/visits/{key}'),
          changes: since,
          deletes: deletesByLog({ list: get('/deleted'), since, keepsFor: '30d' }),
        },
      }),
    },
  });
  const found: (Finding | CollectionReport)[] = [];
  const config = { connectors: [connector], tenants: [], acceptNewKeys: [], dataFolder: folder } as unknown as Config;
  for await (const one of examine(config, { connector: null, tenant: null, write: null }, silentLog)) found.push(one);
  return found;
}

const webhookIn = (found: readonly (Finding | CollectionReport)[]): string | undefined =>
  found.flatMap((one) => ('what' in one && one.what === 'webhook of clinic' ? [one.says] : []))[0];

test.each<readonly [string, WebhookFacts, string]>([
  [
    'a signature that counts once',
    { proof: hmac({ secret: SECRET, header: 'X-Sign', id: 'X-Id', signs: '{id}.{body}' }), names: 'visits' },
    'expected at POST /webhooks/clinic, proven by HMAC sha256 in X-Sign, each counts once; a hint to poll visits',
  ],
  [
    'a signature without a time',
    { proof: hmac({ secret: SECRET, header: 'X-Sign', algorithm: 'sha512' }) },
    'expected at POST /webhooks/clinic, proven by HMAC sha512 in X-Sign (NOT guaranteed: that one sent again is told from a new one; it costs a poll); a hint to poll all collections',
  ],
  [
    'a secret',
    { proof: sharedSecret({ secret: SECRET, header: 'X-Token' }), names: () => [] },
    "expected at POST /webhooks/clinic, proven by a secret in X-Token (NOT guaranteed: that its body is the source's); a hint to poll what a function reads in it",
  ],
])('the doctor tells where webhooks are expected and what their proof shows: %s', async (_what, webhook, says) => {
  const found = await looked(webhook);
  expect(webhookIn(found)).toBe(says);
  expect(JSON.stringify(found)).not.toContain(SECRET);
});

test('a source without webhooks has no such line; numbers, log, guarantees and calls are in its report', async () => {
  source.answer = ({ path: asked, query }) => {
    if (asked === '/deleted') return { rows: [{ id: '9', rev: 7 }] };
    const rows = [1, 2, 3].map((n) => ({ id: String(n), note: 'x', rev: n }));
    const one = rows.find(({ id }) => asked === `/visits/${id}`);
    if (one !== undefined) return { rows: one };
    if (asked !== '/visits') return { status: 404, rows: {} };
    return { rows: rows.filter(({ rev }) => rev > Number(query.get('since') ?? 0)) };
  };
  const found = await looked();
  expect(webhookIn(found)).toBeUndefined();
  const report = found.find((one): one is CollectionReport => 'findings' in one);
  const wrong = report?.findings.filter(({ verdict }) => verdict === 'contradicts').map(({ fact }) => fact);
  // Its log takes no number.
  expect(wrong).toEqual(['read.deletes.since.param']);
  expect(report?.findings.map(({ fact }) => fact)).toEqual(
    expect.arrayContaining(['read.changes.member', 'read.deletes.key']),
  );
  expect(report?.guarantees.guaranteed).toContain(
    'deletions of the last 30 days come with the next poll, older ones with a scan',
  );
  expect(report?.plan.callsPerDay.polls).toBe(2 * 17_280);
});
