import { collection, defineConnector, field, type CollectionDefinition } from '../../src/connectors/define.js';
import { del, get, patch, post, rest } from '../../src/connectors/rest.js';
import type { Clock } from '../../src/core/ports.js';
import { runEveryWay } from '../support/choices.js';
import { CALL_MS, LIFETIME_MS, liveReally, type Life, type System } from './lived-source.js';
import { faultOf } from './schedules.js';

// What the kits send, over HTTP, to systems that keep exactly what their connectors declare.

const READ = { list: get('/visits'), one: get('/visits/{key}') };

function connectorOf(facts: Pick<CollectionDefinition, 'version' | 'write'> & Partial<CollectionDefinition>) {
  return (baseUrl: string) =>
    defineConnector({
      source: 'office',
      transport: rest({ baseUrl, timeout: `${CALL_MS}ms` }),
      collections: {
        visits: collection({
          type: 'Visit',
          key: 'id',
          policy: 'deviceWins',
          fields: { note: field.string(), route: field.string() },
          read: READ,
          ...facts,
          write: { maxRequestLifetime: `${LIFETIME_MS}ms`, ...facts.write },
        }),
      },
    });
}

/** Every schedule of a life that ends in a fault, and how the others ended. */
async function everyWay(life: Life) {
  const faults: string[] = [];
  const statuses = new Set<string | undefined>();
  const runs = await runEveryWay(async (choose) => {
    const ending = await liveReally(life, choose);
    statuses.add(ending.status);
    const fault = faultOf(ending);
    if (fault !== null) faults.push(fault);
  });
  return { runs, faults, statuses };
}

interface Visit {
  readonly id: string;
  readonly note: string;
  readonly route: string;
}

/** A system that refuses a change of what was modified after a second, and knows nothing finer. */
function systemOfSeconds(clock: Clock): System {
  const visits = new Map<string, Visit & { readonly second: number }>();
  const now = (): number => Math.floor(clock.nowMs() / 1_000);
  for (const id of ['17', 'canary']) visits.set(id, { id, note: 'planned', route: '7', second: now() });
  let times = 0;
  const date = (second: number): string => new Date(second * 1_000).toUTCString();
  return {
    times: () => times,
    office() {
      const visit = visits.get('17');
      if (visit !== undefined) visits.set('17', { ...visit, note: `office at ${now()}`, second: now() });
    },
    answer({ method, path, headers, body }) {
      const id = path.split('/').at(-1) ?? '';
      const visit = visits.get(id);
      const head = { date: date(now()) };
      if (visit === undefined) return { status: 404, headers: head, body: {} };
      if (method !== 'GET') {
        const since = Date.parse(String(headers['if-unmodified-since']));
        if (!(visit.second <= since / 1_000)) return { status: 412, headers: head, body: {} };
        times += 1;
        if (method === 'DELETE') {
          visits.delete(id);
          return { status: 204, headers: head };
        }
        visits.set(id, { ...visit, ...body, second: now() });
      }
      const { second, ...shown } = visits.get(id) as Visit & { readonly second: number };
      return { headers: { ...head, 'last-modified': date(second) }, body: shown };
    },
  };
}

/** A system that takes a change only with its version in the body, and says 409 to any other. */
function systemOfVersions(): System {
  const visits = new Map<string, Visit & { readonly rev: number }>();
  for (const id of ['17', 'canary']) visits.set(id, { id, note: 'planned', route: '7', rev: 1 });
  let times = 0;
  return {
    times: () => times,
    office() {
      const visit = visits.get('17');
      if (visit !== undefined) visits.set('17', { ...visit, note: `office ${visit.rev}`, rev: visit.rev + 1 });
    },
    answer({ method, path, body }) {
      const id = path.split('/').at(2) ?? '';
      const visit = visits.get(id);
      if (visit === undefined) return { status: 404, body: {} };
      if (method === 'GET') return { body: visit };
      if (body['rev'] !== visit.rev) return { status: 409, body: { message: 'changed by others' } };
      times += 1;
      if (path.endsWith('/cancel')) {
        visits.delete(id);
        return { status: 204 };
      }
      visits.set(id, { ...visit, ...(body as Partial<Visit>), rev: visit.rev + 1 });
      return { body: visits.get(id) };
    },
  };
}

describe('a change over HTTP, whatever becomes of requests and replies', () => {
  test.each(['update', 'delete'] as const)(
    'R11, F4, F13: %s that is guarded by a date takes effect once, or is parked, also in the second of its version',
    async (kind) => {
      const write = {
        update: patch('/visits/{key}'),
        remove: del('/visits/{key}'),
        guard: 'ifUnmodifiedSince',
      } as const;
      const life = {
        kind,
        attempts: 3,
        systemOf: systemOfSeconds,
        connectorOf: connectorOf({ version: 'lastModified', write }),
      };
      const { runs, faults, statuses } = await everyWay(life);
      expect(faults).toEqual([]);
      expect(statuses).toContain('APPLIED');
      expect(runs).toBeGreaterThan(10);
    },
  );

  test.each(['update', 'delete'] as const)(
    'R11, F4, F13: %s whose version is in its body takes effect once, or is parked',
    async (kind) => {
      const remove = post('/visits/{key}/cancel', { guarded: true, answers: 'nothing' });
      const write = { update: patch('/visits/{key}'), remove, guard: { member: 'rev' } };
      const life = {
        kind,
        attempts: 3,
        systemOf: systemOfVersions,
        connectorOf: connectorOf({ version: 'rev', write }),
      };
      const { runs, faults, statuses } = await everyWay(life);
      expect(faults).toEqual([]);
      expect(statuses).toContain('APPLIED');
      expect(runs).toBeGreaterThan(10);
    },
  );
});
