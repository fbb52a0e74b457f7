import type { Middleware, Request, Response } from 'json-server';
import {
  CLINIC_COLLECTIONS,
  CLINIC_FIELDS,
  misfitOf,
  NUMBERED_COLLECTION,
  type ClinicCollection,
} from './clinic-fields.js';
import type { ClinicRecord } from './clinic-records.js';
import { fingerprintOf, isRequestKey, type RequestJournal } from './request-journal.js';

/** What the clinic's system holds, by collection; json-server changes these lists in place. */
export type ClinicState = Record<ClinicCollection, ClinicRecord[]>;

/** The clinic's system: its records, what was done under callers' keys, and the next number of the book of incidents. */
export interface ClinicSystem {
  readonly state: ClinicState;
  readonly journals: Readonly<Record<ClinicCollection, RequestJournal>>;
  nextNumber: number;
}

/** Fields that the system keeps itself: what a caller sends for them is not looked at. */
const KEPT = ['version', 'updatedAt'];
const KEY = /^[A-Za-z0-9._-]{1,64}$/;

/** The strong tag of a record: its version in quotes. */
export function tagOf(record: { readonly version: number }): string {
  return `"${record.version}"`;
}

/** The collection of a request's path and the key in it, if any; null: not one of ours. Express ignores case, so do we. */
export function targetOf(path: string): { readonly collection: ClinicCollection; readonly key: string | null } | null {
  const match = /^\/([A-Za-z]+)(?:\/([^/%]+))?\/?$/.exec(path);
  const collection = CLINIC_COLLECTIONS.find((name) => name === match?.[1]?.toLowerCase());
  return collection === undefined ? null : { collection, key: match?.[2] ?? null };
}

/**
 * The rules of a system of its own, before json-server takes a write: a write that was done under the same `Idempotency-Key` is
 * answered and not done again, 422 when that was another one; 412 when `If-Match` names another version, 409 when
 * the id is taken or others still point to the record, 422 with the field when a value does not fit. What passes gets its
 * `version` and `updatedAt` here. json-server runs on in the same tick, so the stamp is the time of the write itself.
 */
export function clinicRules(system: ClinicSystem, nowMs: () => number): Middleware {
  const { state } = system;
  return (request, response, next) => {
    if (isRead(request)) {
      next();
      return;
    }
    const target = targetOf(request.path);
    if (target === null || (request.method === 'POST') !== (target.key === null)) {
      refuse(response, { status: 404, message: 'writes go to POST /collection or PUT, PATCH, DELETE /collection/id' });
      return;
    }
    // json-server would take the method of this header instead of the one that is checked here.
    delete request.headers['x-http-method-override'];
    if (answerRepeat(system, target.collection, request, response)) return;
    const current =
      target.key === null ? undefined : state[target.collection].find((record) => String(record.id) === target.key);
    const refusal =
      request.method === 'POST'
        ? refuseCreate(state, target.collection, request.body)
        : current === undefined
          ? null
          : (refuseStale(request, current) ??
            (request.method === 'DELETE'
              ? refuseDelete(state, target.collection, current.id)
              : refuseUpdate(state, target.collection, request)));
    if (refusal !== null) {
      if (current !== undefined) response.setHeader('ETag', tagOf(current));
      refuse(response, refusal);
      return;
    }
    const key = keyOf(request, target.collection);
    if (key !== null) {
      const fingerprint = fingerprintOf(request.method, request.path, request.body);
      response.locals.done = { key, fingerprint, atMs: nowMs() };
    }
    if (request.method !== 'DELETE') {
      const isNumbered = request.method === 'POST' && target.collection === NUMBERED_COLLECTION;
      request.body = {
        ...(request.body as object),
        // Given for good, also when it cannot be stored: a number is never used twice.
        ...(isNumbered ? { id: system.nextNumber++ } : {}),
        version: (current?.version ?? 0) + 1,
        updatedAt: new Date(nowMs()).toISOString(),
      };
    }
    next();
  };
}

/** A write that was done before under its key: it is answered with the record as it is now, 204 when that is gone. */
function answerRepeat(
  { state, journals }: ClinicSystem,
  collection: ClinicCollection,
  request: Request,
  response: Response,
): boolean {
  const key = keyOf(request, collection);
  if (key !== null && !isRequestKey(key)) {
    refuse(response, { status: 400, message: 'Idempotency-Key must be 1 to 255 visible characters' });
    return true;
  }
  const done = key === null ? null : journals[collection].find(key);
  if (done === null) return false;
  if (done.fingerprint !== fingerprintOf(request.method, request.path, request.body)) {
    refuse(response, { status: 422, message: 'this Idempotency-Key was used for another request' });
    return true;
  }
  const record = state[collection].find(({ id }) => id === done.id);
  response.setHeader('Idempotency-Replayed', 'true');
  if (request.method === 'DELETE') response.status(200).json({});
  else if (record === undefined) response.status(204).end();
  else {
    response.setHeader('ETag', tagOf(record));
    response.status(request.method === 'POST' ? 201 : 200).json(record);
  }
  return true;
}

/** The key under which a caller makes a write; null: none, or the collection takes none. */
function keyOf(request: Request, collection: ClinicCollection): string | null {
  const key = request.headers['idempotency-key'];
  return collection === NUMBERED_COLLECTION || typeof key !== 'string' ? null : key;
}

/** Does a request only read? */
export function isRead(request: Request): boolean {
  return ['GET', 'HEAD', 'OPTIONS'].includes(request.method);
}

interface Refusal {
  readonly status: 400 | 404 | 409 | 412 | 422;
  readonly message: string;
  readonly field?: string;
}

function refuse(response: Response, { status, ...body }: Refusal): void {
  response.status(status).json(body);
}

function refuseStale(request: Request, current: ClinicRecord): Refusal | null {
  const wanted = request.headers['if-match'];
  if (wanted === undefined || wanted.trim() === '*') return null;
  const tags = wanted.split(',').map((tag) => tag.trim());
  return tags.includes(tagOf(current))
    ? null
    : { status: 412, message: `version ${current.version} is current, not ${wanted}` };
}

function refuseCreate(state: ClinicState, collection: ClinicCollection, body: unknown): Refusal | null {
  if (!isRecord(body)) return { status: 400, message: 'the body must be one JSON object' };
  const { id } = body;
  if (id !== undefined && collection === NUMBERED_COLLECTION)
    return { status: 422, field: 'id', message: `${collection} are numbered by the system` };
  if (id !== undefined && (typeof id !== 'string' || !KEY.test(id)))
    return { status: 422, field: 'id', message: 'id must be 1 to 64 letters, digits, dots, dashes or underscores' };
  if (id !== undefined && state[collection].some((record) => record.id === id))
    return { status: 409, field: 'id', message: `the id ${id} is taken` };
  return refuseFields(state, collection, body, true);
}

function refuseUpdate(state: ClinicState, collection: ClinicCollection, request: Request): Refusal | null {
  if (!isRecord(request.body)) return { status: 400, message: 'the body must be one JSON object' };
  return refuseFields(state, collection, request.body, request.method === 'PUT');
}

function refuseFields(
  state: ClinicState,
  collection: ClinicCollection,
  body: Readonly<Record<string, unknown>>,
  whole: boolean,
): Refusal | null {
  const rules = CLINIC_FIELDS[collection];
  for (const field of Object.keys(body)) {
    if (rules[field] === undefined && field !== 'id' && !KEPT.includes(field))
      return { status: 422, field, message: `${collection} have no field ${field}` };
  }
  for (const [field, rule] of Object.entries(rules)) {
    if (!whole && !(field in body)) continue;
    const misfit = misfitOf(rule, body[field]);
    if (misfit !== null) return { status: 422, field, message: `${field} ${misfit}` };
    const pointsTo = body[field];
    if (
      rule.references !== undefined &&
      typeof pointsTo === 'string' &&
      !state[rule.references].some((record) => record.id === pointsTo)
    )
      return { status: 422, field, message: `there is no ${pointsTo} in ${rule.references}` };
  }
  return null;
}

function refuseDelete(state: ClinicState, collection: ClinicCollection, id: ClinicRecord['id']): Refusal | null {
  for (const other of CLINIC_COLLECTIONS) {
    for (const [field, rule] of Object.entries(CLINIC_FIELDS[other])) {
      if (rule.references === collection && state[other].some((record) => record[field] === id))
        return { status: 409, message: `${other} still point to ${id}` };
    }
  }
  return null;
}

function isRecord(body: unknown): body is Readonly<Record<string, unknown>> {
  return typeof body === 'object' && body !== null && !Array.isArray(body);
}
