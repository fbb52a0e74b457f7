import pg from 'pg';
import type { Store } from '../../src/core/store-port.js';
import { systemClock } from '../../src/server/clock.js';
import { openStore } from '../../src/store/open.js';
import { silentLog, type TestPostgres } from '../support/postgres.js';
import type { Simulation } from './simulation.js';

/** A real store whose database goes by simulated time. */
export interface SimulatedStore {
  /** For one run: time does not go on while a query does. */
  on(sim: Simulation): Store;
  close(): Promise<void>;
}

/**
 * The project's store on a database of its own in which `clock_timestamp()` and `now()` are a row that the simulation writes: found before the
 * built-in ones by its search path. Leases, deadlines and retention then go by the clock of the run.
 */
export async function openSimulatedStore(server: TestPostgres): Promise<SimulatedStore> {
  const url = await server.freshDatabase();
  const clock = new pg.Client({ connectionString: url });
  await clock.connect();
  const { rows } = await clock.query<{ readonly name: string }>('select current_database() as name');
  await clock.query(`
    create schema simulated;
    create table simulated.clock (ms double precision not null);
    insert into simulated.clock values (0);
    create function public.clock_timestamp() returns timestamptz language sql volatile
      as 'select to_timestamp(ms / 1000.0) from simulated.clock';
    create function public.now() returns timestamptz language sql stable as 'select public.clock_timestamp()';
    alter database ${rows[0]?.name} set search_path = public, pg_catalog`);
  const store = await openStore({ url, clock: systemClock, log: silentLog });
  let close = (): void => undefined;
  const closing = new Promise<never>((_, reject) => (close = () => reject(new Error('the run is over'))));
  closing.catch(() => undefined);
  const setClock = (ms: number): Promise<unknown> => clock.query('update simulated.clock set ms = $1', [ms]);
  return {
    on: (sim) => inSimulatedTime(store, sim, setClock, closing),
    async close() {
      close();
      await store.close();
      await clock.end();
    },
  };
}

function inSimulatedTime(
  store: Store,
  sim: Simulation,
  setClock: (ms: number) => Promise<unknown>,
  closing: Promise<never>,
): Store {
  const going = new Set<Promise<unknown>>();
  let setAtMs = Number.NaN;
  sim.outside = () => (going.size === 0 ? null : Promise.race(going));

  /** Time does not go on before this has ended. */
  function hold<T>(work: Promise<T>): Promise<T> {
    const settled = work
      .catch(() => undefined)
      .then(() => undefined)
      .finally(() => going.delete(settled));
    going.add(settled);
    return work;
  }

  function atThisTime<T>(ask: () => Promise<T>): Promise<T> {
    const isNew = setAtMs !== sim.nowMs();
    setAtMs = sim.nowMs();
    return (isNew ? setClock(setAtMs) : Promise.resolve()).then(ask);
  }

  function held<Part extends object>(part: Part, except: readonly string[] = []): Part {
    const methods = Object.entries(part).map(([name, call]) => {
      if (typeof call !== 'function' || except.includes(name)) return [name, call as unknown];
      const ask = call as (...values: unknown[]) => Promise<unknown>;
      return [name, (...values: unknown[]) => hold(atThisTime(() => ask(...values)))];
    });
    return Object.fromEntries(methods) as Part;
  }

  return {
    ...held(store, ['onAdvance', 'snapshot']),
    /** Whoever reads may die or pause between two queries: only its queries hold the time, and it is let go in the end. */
    async snapshot(tenant, read) {
      let begun = (): void => undefined;
      const begins = new Promise<void>((resolve) => (begun = resolve));
      let ended = (): void => undefined;
      const done = atThisTime(() =>
        store.snapshot(tenant, async (snapshot) => {
          begun();
          try {
            return await Promise.race([read(held(snapshot)), closing]);
          } finally {
            void hold(new Promise<void>((resolve) => (ended = resolve)));
          }
        }),
      );
      void hold(Promise.race([begins, done.then(() => undefined)]));
      return await done.finally(() => ended());
    },
  };
}
