import { createAudit } from '../../src/audit/audit.js';
import { renderBody, type Collection } from '../../src/core/collection.js';
import type { Fields } from '../../src/core/change.js';
import type { Log } from '../../src/core/ports.js';
import { fullShape } from '../../src/core/shape.js';
import type { Session } from '../../src/core/session.js';
import type { UseCases } from '../../src/graphql/context.js';
import type { PushedChange } from '../../src/push/pushed-change.js';
import { createGraphqlEngine, type GraphqlEngine, type GraphqlRequest } from '../../src/graphql/engine.js';
import { createReadCurrent } from '../../src/pull/current.js';
import { createErasure } from '../../src/erasure/erasure.js';
import { createOversight } from '../../src/ingest/oversight.js';
import { createKeptConflicts } from '../../src/push/kept-conflicts.js';
import { createOperator } from '../../src/push/operator.js';
import { openSigningKeys } from '../../src/pull/signing-keys.js';
import { createCheck } from '../../src/pull/check.js';
import { createPull, type Pull } from '../../src/pull/pull.js';
import { hashText } from '../../src/server/telemetry.js';
import { createWorld, type World } from '../contract/store/world.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';
import { CLINIC, patients, visits } from './clinic.js';

/** An answer as its client sees it. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly errors: readonly AnsweredError[];
}

export interface AnsweredError {
  readonly message: string;
  readonly extensions: Readonly<Record<string, unknown>>;
}

/** GraphQL over a clinic whose store is in memory. */
export interface AnsweringClinic {
  readonly engine: GraphqlEngine;
  /** Posts a body as JSON for the nurse's tablet. */
  post(body: unknown, how?: Partial<GraphqlRequest> & { readonly session?: Partial<Session> }): Promise<Answered>;
  /** Posts an operation. */
  ask(query: string, variables?: Readonly<Record<string, unknown>>): Promise<Answered>;
  /** Pulls whose page was asked for as ready text; and all others. */
  readonly pulls: { ready: number; parsed: number };
  /** What came through push, whole requests. */
  readonly pushed: (readonly PushedChange[])[];
  /** Lines of level error: faults of the gateway. */
  readonly faults: string[];
  session(who?: Partial<Session>): Session;
}

export interface ClinicOptions {
  readonly world: World;
  readonly fastPath: boolean;
  readonly introspection?: boolean;
  readonly maxChangesPerPush?: number;
  /** Instead of visits and patients. */
  readonly collections?: readonly Collection[];
  /** Instead of the pull over the store. */
  readonly pull?: Pull;
  readonly hints?: UseCases['hints'];
}

/** A world in which the nurse sees everything of scope `all`. */
export async function createClinicWorld(): Promise<World> {
  return createWorld(createMemoryStore({ clock: createManualClock(), chance: seededChance(11) }));
}

/** Puts a visit into the world, as ingest would. */
export async function showVisit(world: World, id: string, fields: Fields): Promise<void> {
  await world.show(id, ['all'], { body: renderBody(visits, { id, ...fields }) });
}

export async function showPatient(world: World, id: string, name: string | null): Promise<void> {
  await world.show(id, ['all'], { collection: patients.name, body: renderBody(patients, { id, name }) });
}

export async function createAnsweringClinic(options: ClinicOptions): Promise<AnsweringClinic> {
  const { world, fastPath, introspection = true, maxChangesPerPush = 1_000, collections = CLINIC } = options;
  const { store, tenant, nurse } = world;
  const pulls = { ready: 0, parsed: 0 };
  const pushed: (readonly PushedChange[])[] = [];
  const faults: string[] = [];
  const clock = createManualClock();
  const readPriming = async () => ({ epoch: (await store.readHead(tenant)).epoch, priming: new Set<string>() });
  const log: Log = {
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (what, details) => void faults.push(line(what, details)),
  };
  const audit = createAudit({ store, clock, log }, tenant);
  const keys = await openSigningKeys(store);
  const pull = options.pull ?? (await createPull({ store, collections, readPriming }));
  const fullKey = fullShape([]).key;
  const engine = await createGraphqlEngine({
    fastPath,
    introspection,
    collections,
    clock,
    log,
    maxChangesPerPush,
    useCasesOf: () => ({
      pull: (session, request) => {
        pulls[request.shape.key === fullKey ? 'parsed' : 'ready'] += 1;
        return pull(session, request);
      },
      push: async (_session, changes) => {
        pushed.push(changes);
        return changes.map(({ changeId, collection, id }) => ({
          changeId,
          collection,
          id,
          status: 'ACCEPTED',
          error: null,
          blockedBy: null,
        }));
      },
      check: createCheck({ store, collections, keys }),
      readCurrent: createReadCurrent({ store, collections }),
      operator: createOperator({ store, clock, hash: hashText }, { sources: [], wake: ignore }),
      conflicts: createKeptConflicts({ store, clock, hash: hashText }, nobodyPushes),
      oversight: createOversight(store, collections, ignore),
      erasure: createErasure(
        { store, clock },
        {
          sources: [],
          keptFor: { retentionDays: 90, auditDays: 400 },
          forgetPages: ignore,
          revoked: ignore,
        },
      ),
      audit,
      collections: async () => [],
      readEpoch: async () => (await store.readHead(tenant)).epoch,
      readDevices: (of, request) => store.readDevices(of, request),
      revokeDevice: (device) => store.revokeDevice(device),
      newEpoch: (_session, from) => store.newEpoch(tenant, from),
      registerDevice: async () => ({ registeredAtMs: clock.nowMs() }),
      unregisterDevice: async () => true,
      hints: options.hints ?? nobodyListens,
    }),
  });
  const session: AnsweringClinic['session'] = (who = {}) => ({
    tenant,
    user: nurse.user,
    device: nurse.device,
    grant: { kind: 'listed', scopes: ['all'] },
    ...who,
  });
  const post: AnsweringClinic['post'] = async (body, { session: who, ...how } = {}) => {
    const request = { method: 'POST', headers: JSON_HEADERS, search: '', body, ...how };
    const answer = await engine.answer(request, async () => session(who));
    const text = Buffer.concat(answer.body).toString('utf8');
    const { data = null, errors = [] } = JSON.parse(text) as Partial<Answered>;
    return { status: answer.status, headers: Object.fromEntries(answer.headers), text, data, errors };
  };
  return {
    engine,
    post,
    ask: (query, variables = {}) => post({ query, variables }),
    pulls,
    pushed,
    faults,
    session,
  };
}

export const JSON_HEADERS: ReadonlyMap<string, string> = new Map([['content-type', 'application/json']]);

const nobodyPushes = (): never => {
  throw new Error('nobody pushes again here');
};
const nobodyListens = (): never => {
  throw new Error('nobody listens here');
};
const ignore = (): void => undefined;
const line = (what: string, details?: Readonly<Record<string, unknown>>): string =>
  `${what} ${JSON.stringify(details ?? {})}`;
