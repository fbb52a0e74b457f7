import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { SyncError } from '../core/errors.js';
import { OWN_POLICY, renderFrame, type PageNonces, type PagePolicy } from '../server/page-frame.js';
import { addPage, sendUncached, type Site } from '../server/site.js';
import { DEMO_BODY, DEMO_STYLE } from './demo-page.js';

const PATH = '/demo';
const MODULES = `${PATH}/modules`;
const OFFICE = `${PATH}/office/visits`;

/** Besides our own: the page's modules. */
const POLICY: PagePolicy = { ...OWN_POLICY, 'script-src': ["'self'"] };

/** Of what is built, the page may load its own modules and the client's: nothing else. */
const MODULE = /^(?:demo\/phones|src\/client)\/[a-z-]+\.js$/;
const BUILT = new URL('../../', import.meta.url);

/** Fields of a visit that the back office edits. */
const EDITED = ['routeId', 'status', 'notes'];
const SOURCE_TIMEOUT_MS = 10_000;

/**
 * Two phones and the clinic's back office on one page. The back office asks the clinic's own system, not the gateway.
 *
 * @param restUrl of the clinic's system
 */
export function demoSite(restUrl: string): Site {
  return {
    path: PATH,
    title: 'Two phones and the back office',
    addRoutes(app) {
      addPage(app, PATH, POLICY, ({ nonces }) => renderDemoPage(nonces));
      app.get<{ Params: { readonly '*': string } }>(`${MODULES}/*`, async ({ params }, reply) =>
        sendUncached(reply, 'text/javascript', await readModule(params['*'])),
      );
      addOffice(app, restUrl);
    },
  };
}

function renderDemoPage(nonces: PageNonces): string {
  return renderFrame({
    title: 'Tidegate: two phones and the back office',
    style: DEMO_STYLE,
    body: `<script type="importmap" nonce="${nonces.script}">${JSON.stringify({ imports: clientImports() })}</script>
<script type="module" src="${MODULES}/demo/phones/main.js"></script>
${DEMO_BODY}`,
    script: '',
    nonces,
  });
}

/** The client's entries as an app imports them, and where the page finds them. */
function clientImports(): Readonly<Record<string, string>> {
  const { exports } = JSON.parse(readFileSync(new URL('../package.json', BUILT), 'utf8')) as {
    readonly exports: Readonly<Record<string, { readonly default: string }>>;
  };
  const client = Object.entries(exports).filter(([name]) => /^\.\/client(\/|$)/.test(name));
  return Object.fromEntries(
    client.map(([name, entry]) => [name.replace('.', 'tidegate'), entry.default.replace('./dist', MODULES)]),
  );
}

async function readModule(path: string): Promise<string> {
  const file = new URL(path, BUILT);
  if (!MODULE.test(path) || !existsSync(file)) {
    throw new SyncError('NOT_FOUND', `expected a module of the page, got ${path.slice(0, 100)}`);
  }
  // Maps of sources are for debuggers, who would ask for a file that is not served.
  return (await readFile(file, 'utf8')).replace(/^\/\/# sourceMappingURL=.*$/m, '');
}

/** What the page's back office asks the clinic's system. */
function addOffice(app: FastifyInstance, restUrl: string): void {
  app.get(OFFICE, async (_request, reply) => {
    const [visits, patients] = await Promise.all([
      askClinic<Row>(`${restUrl}/visits?routeId=R-01&routeId=R-02`),
      askClinic<Row>(`${restUrl}/patients?routeId=R-01&routeId=R-02`),
    ]);
    const names = new Map(patients.map((one) => [one['id'], `${String(one['firstName'])} ${String(one['lastName'])}`]));
    const shown = visits.map((visit) => ({
      ...visit,
      patient: names.get(visit['patientId']) ?? String(visit['patientId']),
    }));
    return sendUncached(reply, 'application/json', JSON.stringify(shown));
  });
  app.patch<{ Params: { readonly id: string }; Body: Buffer | null }>(
    `${OFFICE}/:id`,
    async ({ params, body }, reply) => {
      const answer = await fetch(`${restUrl}/visits/${encodeURIComponent(params.id)}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(readEdit(body)),
        signal: AbortSignal.timeout(SOURCE_TIMEOUT_MS),
      });
      return sendUncached(reply.code(answer.status), 'application/json', await answer.text());
    },
  );
}

type Row = Readonly<Record<string, unknown>>;

async function askClinic<Answer>(address: string): Promise<readonly Answer[]> {
  const answer = await fetch(address, { signal: AbortSignal.timeout(SOURCE_TIMEOUT_MS) });
  if (!answer.ok) throw new SyncError('SOURCE_UNAVAILABLE', `the clinic's system answered ${answer.status}`);
  return (await answer.json()) as readonly Answer[];
}

function readEdit(body: Buffer | null): Row {
  try {
    const edit = JSON.parse(body?.toString('utf8') ?? '') as Row;
    const unknown = Object.keys(edit).find((field) => !EDITED.includes(field));
    if (unknown === undefined) return edit;
  } catch {
    // No JSON: said below.
  }
  throw new SyncError('BAD_REQUEST', `body: expected a JSON object with some of ${EDITED.join(', ')}`);
}
