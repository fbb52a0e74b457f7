/**
 * The clinic's REST system, a process of its own: json-server with a clinic's records.
 *
 *     node dist/demo/rest-source.js --folder FOLDER [--port 5001] [--host 127.0.0.1]
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import jsonServer, { type App, type Next, type Request, type Response, type Router } from 'json-server';
import { CLINIC_COLLECTIONS, NUMBERED_COLLECTION, type ClinicCollection } from './clinic-fields.js';
import type { ClinicRecord } from './clinic-records.js';
import { RequestJournal, type DoneRequest } from './request-journal.js';
import { clinicRules, isRead, tagOf, targetOf, type ClinicState, type ClinicSystem } from './rest-rules.js';
import { runSource, type SourceArguments } from './source-process.js';
import { readStoredFile, writeStoredText } from './stored-file.js';

const SEED = 17;
/** json-server deletes all records that point to a deleted one by fields with this suffix; ours are refused instead. */
const NO_CASCADE = 'PointsTo';

await runSource('rest-source', async (source) => ({ listener: restSource(await loadSystem(source), source.folder) }));

function restSource(system: ClinicSystem, folder: string): App {
  const app = jsonServer.create();
  const welcome = join(dirname(fileURLToPath(import.meta.resolve('json-server'))), '../../public');
  app.use(jsonServer.defaults({ logger: false, noGzip: true, noCors: true, bodyParser: true, static: welcome }));
  app.use(clinicRules(system, () => Date.now()));
  const router = jsonServer.router(system.state, { foreignKeySuffix: NO_CASCADE });
  persist(router, system, folder);
  app.use(router);
  app.use(answerError);
  return app;
}

/** A collection as it is stored: a write and the key that it was made under are in one file, so that neither is there alone. */
interface StoredCollection {
  readonly records: readonly ClinicRecord[];
  readonly requests: readonly DoneRequest[];
  /** Of the book of incidents. */
  readonly nextNumber?: number;
}

/**
 * Stores the written collection before the answer leaves, in a file of its own: a write to one of 2,000 visits costs 4 ms,
 * with the 7,244 places in the same file it would be 15.
 */
function persist(router: Router, system: ClinicSystem, folder: string): void {
  const { state, journals } = system;
  const storedRecords = new Map(CLINIC_COLLECTIONS.map((name) => [name, JSON.stringify(state[name])]));
  router.db.write = (value) => value;
  router.render = (request, response) => {
    const { data, done } = response.locals;
    const target = targetOf(request.path);
    if (target !== null && !isRead(request) && response.statusCode < 400) {
      const { collection, key } = target;
      const journal = journals[collection];
      const id = isStamped(data) ? data.id : (key ?? '');
      const requests = done === undefined ? journal.all() : journal.with({ ...done, id });
      const records = JSON.stringify(state[collection]);
      try {
        writeStoredText(fileOf(folder, collection), storedText(records, requests, system, collection));
        storedRecords.set(collection, records);
        journal.keep(requests);
      } catch (error) {
        // What could not be stored has not happened: the next reader must not see it.
        const before = JSON.parse(storedRecords.get(collection) ?? '[]') as ClinicRecord[];
        state[collection].splice(0, Infinity, ...before);
        answerError(error, request, response, () => undefined);
        return;
      }
    }
    if (isStamped(data)) response.setHeader('ETag', tagOf(data));
    response.json(data);
  };
}

/** Records are made a text once per write: it is also what a failed write is undone with. */
function storedText(
  records: string,
  requests: readonly DoneRequest[],
  { nextNumber }: ClinicSystem,
  collection: ClinicCollection,
): string {
  const number = collection === NUMBERED_COLLECTION ? `,"nextNumber":${nextNumber}` : '';
  return `{"records":${records},"requests":${JSON.stringify(requests)}${number}}`;
}

async function loadSystem({ folder, today }: SourceArguments): Promise<ClinicSystem> {
  const missing = CLINIC_COLLECTIONS.filter((collection) => !existsSync(fileOf(folder, collection)));
  const first = missing.length === 0 ? null : await firstRecords(today);
  const state: Partial<ClinicState> = {};
  const journals: Partial<Record<ClinicCollection, RequestJournal>> = {};
  let nextNumber = 1;
  for (const collection of CLINIC_COLLECTIONS) {
    const stored = await readStoredFile<StoredCollection | readonly ClinicRecord[]>(fileOf(folder, collection), () => ({
      records: first?.[collection] ?? [],
      requests: [],
    }));
    // Folders of the first version hold the records alone.
    const { records, requests, ...more } = 'records' in stored ? stored : { records: stored, requests: [] };
    state[collection] = [...records];
    journals[collection] = new RequestJournal(requests);
    if (collection === NUMBERED_COLLECTION) nextNumber = Math.max(nextFree(records), more.nextNumber ?? 1);
  }
  return { state: state as ClinicState, journals: journals as ClinicSystem['journals'], nextNumber };
}

function nextFree(records: readonly ClinicRecord[]): number {
  return records.reduce((next, { id }) => Math.max(next, Number(id) + 1), 1);
}

/** Loads the places' package only when they are needed: it takes a second to unpack. */
async function firstRecords(today: string): Promise<Readonly<Record<ClinicCollection, readonly ClinicRecord[]>>> {
  const [{ placeRecords }, { clinicRecords }] = await Promise.all([
    import('./place-records.js'),
    import('./clinic-records.js'),
  ]);
  const places = placeRecords(Date.parse(`${today}T00:00:00Z`));
  return { places: places.map((place) => ({ ...place })), ...clinicRecords(places, SEED, today) };
}

function fileOf(folder: string, collection: ClinicCollection): string {
  return join(folder, `${collection}.json`);
}

function isStamped(data: unknown): data is ClinicRecord {
  return typeof data === 'object' && data !== null && 'version' in data && typeof data.version === 'number';
}

/** A body that is no JSON is the caller's fault (400); what else goes wrong is ours (500). No stack leaves the process. */
function answerError(error: unknown, _request: Request, response: Response, _next: Next): void {
  const told = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  const status = typeof told === 'number' ? told : 500;
  const message = error instanceof Error ? error.message : String(error);
  if (status >= 500) console.error(`rest-source: ${message}`);
  response.status(status).json({ message });
}
