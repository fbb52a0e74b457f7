import { createClientAsync, type Client } from 'soap';
import type { SupplyRecord } from './supply-records.js';
import { TREATMENTS, VISIT_KINDS } from './clinic-words.js';

/** What the dispatcher needs from outside. */
export interface DispatcherOptions {
  readonly restUrl: string;
  readonly wsdlUrl: string;
  /** 0 <= n < 1. */
  readonly chance: () => number;
  readonly nowMs: () => number;
}

type Visit = Readonly<Record<string, unknown>> & { readonly id: string; readonly version: number };
type Supply = { readonly [Field in keyof SupplyRecord]?: unknown };

const QUARTER_MS = 15 * 60_000;
const DAY_MS = 86_400_000;
const CALL_TIMEOUT_MS = 10_000;

/** Someone in the clinic's office who works in both systems while devices are offline: one edit at a time. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  #stock: Client | null = null;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /**
   * One edit, of the usual ones more often than of the rare ones.
   *
   * @returns what was done, in one sentence
   * @throws Error when a system did not answer or refused; nothing was done then, or it is not known
   */
  async edit(): Promise<string> {
    const roll = this.#options.chance();
    if (roll < 0.35) return await this.reschedule();
    if (roll < 0.6) return await this.changeStock();
    if (roll < 0.75) return await this.addVisit();
    if (roll < 0.85) return await this.assign();
    if (roll < 0.95) return await this.cancel();
    return await this.removeCancelled();
  }

  /** Moves a planned visit by a quarter of an hour to two hours. */
  async reschedule(): Promise<string> {
    const visit = await this.#pickVisit('planned');
    const moved = new Date(Date.parse(String(visit['plannedAt'])) + this.#between(1, 8) * QUARTER_MS).toISOString();
    await this.#change(visit, { plannedAt: moved });
    return `visit ${visit.id} moved to ${moved}`;
  }

  /** Gives a planned visit to another member of staff. */
  async assign(): Promise<string> {
    const visit = await this.#pickVisit('planned');
    const staff = await this.#list('staff', `active=true&routeId=${String(visit['routeId'])}`);
    const member = this.#pick(staff);
    await this.#change(visit, { staffId: member.id });
    return `visit ${visit.id} given to ${member.id}`;
  }

  async cancel(): Promise<string> {
    const visit = await this.#pickVisit('planned');
    await this.#change(visit, { status: 'cancelled', notes: 'Called off by phone.' });
    return `visit ${visit.id} cancelled`;
  }

  /** Plans a visit for the coming week. */
  async addVisit(): Promise<string> {
    const patient = this.#pick(
      await this.#list('patients', `_limit=1&_start=${this.#between(0, (await this.#count('patients')) - 1)}`),
    );
    const kind = this.#pick(VISIT_KINDS);
    const treatment = TREATMENTS[kind];
    const midnight = Math.floor(this.#options.nowMs() / DAY_MS) * DAY_MS;
    const visit = await this.#send('POST', '/visits', {
      patientId: patient.id,
      staffId: null,
      routeId: patient['routeId'],
      kind,
      status: 'planned',
      plannedAt: new Date(midnight + this.#between(1, 7) * DAY_MS + this.#between(24, 63) * QUARTER_MS).toISOString(),
      durationMinutes: this.#pick<number>(treatment.minutes),
      price: treatment.price,
      notes: this.#pick<string>(treatment.planned),
      supplyIds: [],
    });
    return `visit ${visit.id} planned for patient ${patient.id}`;
  }

  /** Deletes a visit that was cancelled: it is gone, nothing says that it was there. */
  async removeCancelled(): Promise<string> {
    const visit = await this.#pickVisit('cancelled');
    await this.#send('DELETE', `/visits/${visit.id}`, undefined, visit.version);
    return `visit ${visit.id} deleted`;
  }

  /** Takes something from the stock, or fills it up when little is left. */
  async changeStock(): Promise<string> {
    const stock = await this.#openStock();
    const { total } = (await call(stock, 'ListSupplies', { offset: 0, limit: 1 })) as { readonly total: number };
    const page = await call(stock, 'ListSupplies', { offset: this.#between(0, total - 1), limit: 1 });
    const [supply] = (page as { readonly supplies?: readonly Supply[] }).supplies ?? [];
    if (supply === undefined) throw new Error('expected a supply in the stock, got none');
    const left = Number(supply.quantity);
    const quantity =
      left <= Number(supply.reorderLevel)
        ? left + Number(supply.reorderLevel) * 4
        : left - this.#between(1, Math.min(left, 5));
    const { sku, version, modifiedAt: _kept, ...fields } = supply;
    await call(stock, 'UpdateSupply', { sku, version, supply: { ...fields, ...asText(fields), quantity } });
    return `stock of ${String(sku)}: ${left} -> ${quantity}`;
  }

  async #pickVisit(status: string): Promise<Visit> {
    const query = `status=${status}&plannedAt_gte=${encodeURIComponent(new Date(this.#options.nowMs()).toISOString())}`;
    const count = await this.#count('visits', query);
    if (count === 0) throw new Error(`expected a ${status} visit in the future, got none`);
    return this.#pick(await this.#list('visits', `${query}&_limit=1&_start=${this.#between(0, count - 1)}`));
  }

  async #change(visit: Visit, fields: object): Promise<void> {
    await this.#send('PATCH', `/visits/${visit.id}`, fields, visit.version);
  }

  async #count(collection: string, query = ''): Promise<number> {
    const answer = await this.#fetch('GET', `/${collection}?${query}&_limit=1`);
    await answer.arrayBuffer();
    return Number(answer.headers.get('x-total-count'));
  }

  async #list(collection: string, query: string): Promise<readonly Visit[]> {
    const answer = await this.#fetch('GET', `/${collection}?${query}`);
    return (await answer.json()) as readonly Visit[];
  }

  async #send(method: string, path: string, body: object | undefined, version?: number): Promise<Visit> {
    const answer = await this.#fetch(method, path, body, version);
    return (await answer.json()) as Visit;
  }

  async #fetch(method: string, path: string, body?: object, version?: number): Promise<Response> {
    const answer = await fetch(`${this.#options.restUrl}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(version === undefined ? {} : { 'if-match': `"${version}"` }) },
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok)
      throw new Error(`${method} ${path}: ${answer.status} ${(await answer.text()).replace(/\s+/g, ' ')}`);
    return answer;
  }

  async #openStock(): Promise<Client> {
    this.#stock ??= await createClientAsync(this.#options.wsdlUrl);
    return this.#stock;
  }

  #between(from: number, to: number): number {
    return from + Math.floor(this.#options.chance() * (to - from + 1));
  }

  #pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.#options.chance() * items.length)];
    if (item === undefined) throw new Error('expected something to pick from, got none');
    return item;
  }
}

/** Calls an operation of the WSDL and gives the elements of its answer. */
async function call(stock: Client, operation: 'ListSupplies' | 'UpdateSupply', request: object): Promise<unknown> {
  const send = stock[`${operation}Async`] as (request: object, options: object) => Promise<readonly unknown[]>;
  const [answer] = await send.call(stock, request, { timeout: CALL_TIMEOUT_MS });
  return answer;
}

/** The soap package reads dates as moments and prices as numbers; the store room wants them as it showed them. */
function asText(fields: Supply): object {
  const { expiresOn, unitPrice } = fields;
  return {
    ...(expiresOn instanceof Date ? { expiresOn: expiresOn.toISOString().slice(0, 10) } : {}),
    ...(typeof unitPrice === 'number' ? { unitPrice: unitPrice.toFixed(2) } : {}),
  };
}
