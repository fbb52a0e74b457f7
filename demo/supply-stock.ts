import type { SupplyRecord } from './supply-records.js';
import { readCount, readSupply, type SupplyFields, type SupplyTexts } from './supply-rules.js';

/** What is wrong with a call, as the WSDL's SupplyFault tells it. */
export type SupplyFaultCode = 'NOT_FOUND' | 'VERSION_CONFLICT' | 'VALIDATION' | 'KEY_TAKEN';

/** A SOAP 1.1 fault: `Fault` is what the soap package puts into the answer's body, with HTTP status 500. */
export class SupplyFault extends Error {
  readonly Fault: object;

  constructor(
    code: SupplyFaultCode,
    message: string,
    details: { readonly field?: string; readonly currentVersion?: number } = {},
  ) {
    super(message);
    this.name = 'SupplyFault';
    this.Fault = {
      statusCode: 500,
      faultcode: 'soap:Client',
      faultstring: message,
      detail: { SupplyFault: { attributes: { xmlns: SUPPLIES_NAMESPACE }, code, message, ...details } },
    };
  }
}

export const SUPPLIES_NAMESPACE = 'urn:homecare:supplies:1';
export const MAX_LIST = 500;
const DEFAULT_LIST = 100;
const KEY = /^[A-Za-z0-9._-]{1,64}$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** What the stock keeps: its items and the number of the next key that it gives. */
export interface StoredStock {
  readonly supplies: readonly SupplyRecord[];
  readonly nextNumber: number;
}

/** The store room: every write is stored before it is answered, and nothing is seen that is not stored. */
export class SupplyStock {
  #stored: StoredStock;
  readonly #store: (stock: StoredStock) => void;
  readonly #nowMs: () => number;

  /** @param store keeps a state durably, or throws: then the write has not happened */
  constructor(stored: StoredStock, store: (stock: StoredStock) => void, nowMs: () => number) {
    this.#stored = stored;
    this.#store = store;
    this.#nowMs = nowMs;
  }

  /** Ordered by sku; with `modifiedSince` (inclusive) those at or after that moment, ordered by modifiedAt, then sku. */
  list(request: SupplyTexts): {
    readonly supplies: readonly SupplyRecord[];
    readonly total: number;
    readonly hasMore: boolean;
  } {
    const offset = numberOf(request, 'offset', 0, 0, 999_999_999);
    const limit = numberOf(request, 'limit', DEFAULT_LIST, 1, MAX_LIST);
    const since = momentOf(request['modifiedSince']);
    const found = this.#stored.supplies.filter((supply) => since === null || supply.modifiedAt >= since);
    const ordered = [...found].sort(
      (a, b) => (since === null ? 0 : order(a.modifiedAt, b.modifiedAt)) || order(a.sku, b.sku),
    );
    return {
      supplies: ordered.slice(offset, offset + limit),
      total: ordered.length,
      hasMore: offset + limit < ordered.length,
    };
  }

  get(request: SupplyTexts): SupplyRecord {
    return this.#find(request['sku']);
  }

  /** Takes the caller's key, or gives one like SUP-000001. */
  create(request: SupplyTexts): SupplyRecord {
    const fields = fieldsOf(request['supply']);
    const wanted = request['sku'];
    if (wanted === undefined || wanted === null || wanted === '') {
      const sku = `SUP-${String(this.#stored.nextNumber).padStart(6, '0')}`;
      return this.#add(sku, fields, this.#stored.nextNumber + 1);
    }
    if (typeof wanted !== 'string' || !KEY.test(wanted))
      throw new SupplyFault('VALIDATION', 'sku must be 1 to 64 letters, digits, dots, dashes or underscores', {
        field: 'sku',
      });
    if (this.#stored.supplies.some((supply) => supply.sku === wanted))
      throw new SupplyFault('KEY_TAKEN', `the sku ${wanted} is taken`, { field: 'sku' });
    return this.#add(wanted, fields, this.#stored.nextNumber);
  }

  /** Replaces the whole supply if `version` is the current one. */
  update(request: SupplyTexts): SupplyRecord {
    const current = this.#findVersion(request);
    const changed = { sku: current.sku, ...fieldsOf(request['supply']), ...this.#stamp(current.version + 1) };
    this.#keep({
      ...this.#stored,
      supplies: this.#stored.supplies.map((supply) => (supply === current ? changed : supply)),
    });
    return changed;
  }

  /** Takes the supply away if `version` is the current one; nothing of it is left. */
  delete(request: SupplyTexts): void {
    const current = this.#findVersion(request);
    this.#keep({ ...this.#stored, supplies: this.#stored.supplies.filter((supply) => supply !== current) });
  }

  #add(sku: string, fields: SupplyFields, nextNumber: number): SupplyRecord {
    const added = { sku, ...fields, ...this.#stamp(1) };
    this.#keep({ supplies: [...this.#stored.supplies, added], nextNumber });
    return added;
  }

  #find(sku: unknown): SupplyRecord {
    const found = this.#stored.supplies.find((supply) => supply.sku === sku);
    if (found === undefined) throw new SupplyFault('NOT_FOUND', `there is no supply ${String(sku)}`, { field: 'sku' });
    return found;
  }

  #findVersion(request: SupplyTexts): SupplyRecord {
    const found = this.#find(request['sku']);
    const version = readCount(request['version']);
    if (version === undefined)
      throw new SupplyFault('VALIDATION', 'version is required: a whole number', { field: 'version' });
    if (version !== found.version)
      throw new SupplyFault('VERSION_CONFLICT', `version ${found.version} of ${found.sku} is current, not ${version}`, {
        currentVersion: found.version,
      });
    return found;
  }

  #stamp(version: number): { readonly version: number; readonly modifiedAt: string } {
    return { version, modifiedAt: new Date(this.#nowMs()).toISOString() };
  }

  #keep(stock: StoredStock): void {
    this.#store(stock);
    this.#stored = stock;
  }
}

function fieldsOf(supply: unknown): SupplyFields {
  if (typeof supply !== 'object' || supply === null)
    throw new SupplyFault('VALIDATION', 'supply is required', { field: 'supply' });
  const reading = readSupply(supply as SupplyTexts);
  if (!reading.ok) throw new SupplyFault('VALIDATION', reading.message, { field: reading.field });
  return reading.fields;
}

function numberOf(request: SupplyTexts, field: string, absent: number, from: number, to: number): number {
  const given = request[field];
  if (given === undefined || given === null || given === '') return absent;
  const number = readCount(given);
  if (number === undefined || number < from || number > to)
    throw new SupplyFault('VALIDATION', `${field} must be a whole number from ${from} to ${to}`, { field });
  return number;
}

function momentOf(given: unknown): string | null {
  if (given === undefined || given === null || given === '') return null;
  const ms = typeof given === 'string' && MOMENT.test(given) ? Date.parse(given) : NaN;
  if (Number.isNaN(ms))
    throw new SupplyFault('VALIDATION', 'modifiedSince must be a moment with zone, like 2026-01-31T08:30:00.000Z', {
      field: 'modifiedSince',
    });
  return new Date(ms).toISOString();
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
