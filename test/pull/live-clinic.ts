import { randomBytes } from 'node:crypto';
import type { Change, RecordId } from '../../src/core/change.js';
import type { Store } from '../../src/core/store-port.js';
import { fullShape } from '../../src/core/shape.js';
import { createReadCurrent, type ReadCurrent } from '../../src/pull/current.js';
import { withLiveBodies } from '../../src/pull/live-pull.js';
import { createOwedBodies, type OwedBodies } from '../../src/pull/owed-bodies.js';
import { createPull, type Pull, type PullPage } from '../../src/pull/pull.js';
import { keptCollection } from '../../src/sealing/digests.js';
import { digestedSource } from '../../src/sealing/digested-source.js';
import { createSealer } from '../../src/sealing/sealer.js';
import { sealedEdits } from '../../src/sealing/sealed-edits.js';
import { valuelessStore } from '../../src/sealing/valueless-store.js';
import { SyncError } from '../../src/core/errors.js';
import { VISITS } from '../contract/store/world.js';
import { createIngestingClinic, hash, type IngestingClinic } from '../ingest/ingesting-clinic.js';
import { createToySource, type ToySource } from '../ingest/toy-source.js';
import { silentLog } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';
import { changesOf } from './model/device-model.js';
import { priming } from './priming.js';

/** A nurse's phone that sees one route, and what it has been told. */
export interface LivePhone {
  /** id → note, as she sees it. */
  readonly held: Map<string, unknown>;
  /** One page, applied. */
  page(limit?: number): Promise<PullPage & { readonly told: readonly Change[] }>;
  /** Pages until there is no more. */
  pull(): Promise<readonly Change[]>;
}

/** A clinic whose visits' values are not kept. */
export interface LiveClinic {
  readonly clinic: IngestingClinic;
  readonly source: ToySource;
  readonly store: Store;
  readonly pull: Pull;
  /** Pages as the store gave them, before their bodies were read. */
  readonly asked: readonly PullPage[];
  readonly owed: OwedBodies;
  readonly readCurrent: ReadCurrent;
  isDown: boolean;
  phone(route: string): LivePhone;
  /** Rounds, looks and time until everything that is owed has come, or would have. */
  settle(): Promise<void>;
  current(route: string, id: string): Promise<Change | null>;
}

export async function createLiveClinic(): Promise<LiveClinic> {
  const source = createToySource({ updateGuard: 'version' });
  source.before = () => {
    if (live.isDown) throw new SyncError('SOURCE_UNAVAILABLE', 'visits: no answer');
  };
  const kept = keptCollection(source.collection, randomBytes(32));
  const sealer = createSealer(`k:${randomBytes(32).toString('base64')}`);
  const digested = { ...source, ...digestedSource(source, kept) };
  const wrap = (store: Store): Store => valuelessStore(sealedEdits(store, sealer, new Set([kept.name])), [kept]);
  const clinic = await createIngestingClinic([digested], { wrap });
  const store = wrap(clinic.store);
  const { tenant } = clinic.world;
  const ports = { store, clock: clinic.clock, hash, log: silentLog, chance: seededChance(3) };
  const collections = [{ source, kept }];
  const inner = await createPull({ store, collections: [source.collection], readPriming: priming(store) });
  const asked: PullPage[] = [];
  const noting: Pull = async (who, request) => {
    const page = await inner(who, request);
    asked.push(page);
    return page;
  };
  const pull = withLiveBodies(noting, ports, { collections: [VISITS], live: collections });
  const readCurrent = createReadCurrent({ store, collections: [kept], live: { ports, collections } });
  const session = (route: string) => ({
    tenant,
    user: `nurse of ${route}`,
    device: 'phone',
    grant: { kind: 'listed' as const, scopes: [`route:${route}`] },
  });
  const live: LiveClinic = {
    clinic,
    source,
    store,
    asked,
    pull,
    readCurrent,
    owed: createOwedBodies(ports, { tenant, live: collections }),
    isDown: false,
    phone(route) {
      const held = new Map<string, unknown>();
      let since: string | null = null;
      const phone: LivePhone = {
        held,
        async page(limit = 1_000) {
          const page = await pull(session(route), { since, collections: null, limit, shape: fullShape([VISITS]) });
          const told = changesOf(page);
          for (const { id, kind, json, unavailable } of told) {
            if (kind !== 'UPSERT') held.delete(id);
            else if (unavailable === undefined) held.set(id, json?.['note']);
          }
          since = page.checkpoint;
          return { ...page, told };
        },
        async pull() {
          const told: Change[] = [];
          for (;;) {
            const page = await phone.page(7);
            told.push(...page.told);
            if (!page.hasMore) return told;
          }
        },
      };
      return phone;
    },
    async settle() {
      for (let rounds = 0; rounds < 4; rounds++) {
        await clinic.poller.round(VISITS);
        await live.owed.look();
        clinic.clock.advance(61_000);
        await clinic.rest();
      }
    },
    async current(route, id) {
      const [change] = await readCurrent(session(route), [{ collection: VISITS, id: id as RecordId }]);
      return change ?? null;
    },
  };
  return live;
}
