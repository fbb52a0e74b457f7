import { randomUUID } from 'node:crypto';
import { accessSync, constants, mkdirSync } from 'node:fs';
import path from 'node:path';
import { clinic } from '../../connectors/clinic.js';
import { supplies } from '../../connectors/supplies.js';
import { startDemoSources, type DemoSources } from '../../demo/demo-sources.js';
import { startPushService, type PushedMessage, type PushService } from '../../demo/push-service.js';
import { StartupError } from '../core/errors.js';
import type { Log } from '../core/ports.js';
import { startGateway, type Gateway } from '../server/app.js';
import { loadConfig, type TidegateConfig } from '../server/config.js';
import { createLog } from '../server/telemetry.js';
import { banner, type PushExample } from './banner.js';
import { demoSite } from './demo-site.js';
import { letHeapGrow } from './heap.js';
import { endWhenStalled, untilSignal } from './process-signals.js';

/** How often the back office edits the sources, when it is switched on. */
const BACK_OFFICE_EVERY_MS = 5_000;
/** The sources' usual ports, so that the README's curl lines work; any free ones where these are taken. */
const REST_PORT = 5001;
const SOAP_PORT = 5002;
const PUSH_PORT = 5003;
const PROGRESS_EVERY_MS = 1_000;

/** Two nurses, each on a route of her own; what belongs to no route is everybody's. */
const DEMO_USERS: NonNullable<TidegateConfig['developmentUsers']> = {
  nadia: { scopes: ['route:R-01', 'all'] },
  omar: { scopes: ['route:R-02', 'all'] },
};

/** The configuration of the demo: the clinic's two systems at these addresses. */
export function demoConfig(restUrl: string, wsdlUrl: string): TidegateConfig {
  return {
    connectors: [clinic({ baseUrl: restUrl }), supplies({ wsdl: wsdlUrl, endpoint: wsdlUrl.replace(/\?.*$/, '') })],
    developmentUsers: DEMO_USERS,
    logLevel: 'warn',
  };
}

/**
 * `tidegate demo` and `npm start`: both sources, the store and the gateway, with progress while the first ingest runs and a
 * banner at the end; until a signal. @throws StartupError
 */
export async function demo(
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly backOffice: boolean },
): Promise<void> {
  letHeapGrow();
  const settings = await loadConfig(env, process.cwd(), { logLevel: 'warn' });
  if (settings.connectors.length > 0) {
    throw new StartupError('config', `${settings.file}: has connectors of its own: run "tidegate start" for it`);
  }
  checkWritable(settings.dataFolder);
  const log = createLog(settings.logLevel);
  console.log('Starting the clinic: a REST system, a SOAP system, and Tidegate in front of them …');
  const sources = await startSources(path.join(settings.dataFolder, 'demo'), options.backOffice, log);
  const pushService = await startPhones(log);
  try {
    const push = { fcm: { endpoint: pushService.url } };
    const clinicConfig = { ...demoConfig(sources.restUrl, sources.wsdlUrl), push };
    const config = await loadConfig(env, process.cwd(), clinicConfig);
    const site = demoSite(sources.restUrl);
    const gateway = await startGateway(config, { log, site });
    const watchdog = endWhenStalled(log);
    const ended = untilSignal();
    await showFirstIngest(gateway, ended);
    console.log(
      banner({
        gateway,
        config,
        sources: [
          { name: 'REST', url: sources.restUrl, keeps: 'patients, visits, incidents, staff, routes, places' },
          { name: 'SOAP', url: sources.wsdlUrl, keeps: 'supplies' },
          {
            name: 'Push',
            url: pushService.url,
            keeps: 'nothing: it stands for Firebase, and shows here what phones get',
          },
        ],
        example: newVisit(),
        site,
      }),
    );
    if (options.backOffice) console.log(`  The back office edits something every ${BACK_OFFICE_EVERY_MS / 1000} s.\n`);
    console.log(`${await ended}: finishing what is under way …`);
    await gateway.stop();
    await watchdog.stop();
  } finally {
    await pushService.stop();
    await sources.stop();
  }
}

/** Sources and store would each say it in their own words. */
function checkWritable(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw new StartupError('disk', `TIDEGATE_DATA: cannot write to ${folder}: ${(cause as Error).message}`, { cause });
  }
}

async function startSources(folder: string, backOffice: boolean, log: Log): Promise<DemoSources> {
  const start = (restPort: number, soapPort: number): Promise<DemoSources> =>
    startDemoSources({
      folder,
      restPort,
      soapPort,
      log,
      ...(backOffice ? { backOfficeEveryMs: BACK_OFFICE_EVERY_MS } : {}),
    });
  try {
    return await start(REST_PORT, SOAP_PORT);
  } catch (cause) {
    const { message } = cause as Error;
    if (!/taken|in use|EADDRINUSE/i.test(message) || /folder/i.test(message)) {
      throw new StartupError('source', `the demo's sources do not start: ${message}`, { cause });
    }
    log.warn('the usual ports of the sources are taken, using free ones', { message });
    return start(0, 0);
  }
}

/** The phones of the demo: what comes for one is a line on the terminal. */
async function startPhones(log: Log): Promise<PushService> {
  const start = (port: number): Promise<PushService> => startPushService({ port, told: showHint });
  try {
    return await start(PUSH_PORT);
  } catch (cause) {
    log.warn('the usual port of the push service is taken, using a free one', { message: (cause as Error).message });
    return start(0);
  }
}

function showHint({ message }: PushedMessage): void {
  const { collections = '[]' } = (message['data'] ?? {}) as { readonly collections?: string };
  const names = JSON.parse(collections) as readonly string[];
  console.log(`  Phone ${message.token} wakes up: hint for ${names.join(', ') || 'everything'}`);
}

/** A visit that a nurse plans on her phone; the clinic has the patient and the route. */
function newVisit(): PushExample {
  return {
    what: 'Push a new visit, then look at it in the REST system itself',
    change: {
      changeId: randomUUID(),
      collection: 'visits',
      id: randomUUID(),
      kind: 'UPSERT',
      changedAt: new Date().toISOString(),
      json: {
        patientId: 'P-0001',
        routeId: 'R-01',
        kind: 'woundCare',
        status: 'planned',
        plannedAt: new Date(Date.now() + 86_400_000).toISOString(),
        durationMinutes: 30,
        price: '38.50',
        notes: 'Key is under the mat',
      },
    },
  };
}

/** One line per second while records come in; nothing when they are all there already. */
async function showFirstIngest(gateway: Gateway, ended: Promise<unknown>): Promise<void> {
  let over = false;
  void ended.then(() => (over = true));
  for (;;) {
    const progress = await gateway.progress();
    const priming = progress.filter((one) => one.state === 'PRIMING');
    if (priming.length === 0 || over) return;
    const counts = progress.map((one) => `${one.name} ${one.recordCount.toLocaleString('en')}`);
    console.log(`  first ingest: ${counts.join(', ')} …`);
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, PROGRESS_EVERY_MS))]);
  }
}
