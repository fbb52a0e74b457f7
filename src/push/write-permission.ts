import type { Fields } from '../core/change.js';
import { changedFields, parseBody, type Collection } from '../core/collection.js';
import { isErased } from '../core/erasure-port.js';
import { SyncError } from '../core/errors.js';
import { KEPT } from '../core/keeping.js';
import { isDeviceMadeId } from '../core/id.js';
import { hiddenScope, scopesOfPending, type Incoming, type Mapping } from '../core/overlay.js';
import type { OpenIntent, RecordView } from '../core/record-port.js';
import { pushedTarget } from '../core/reference.js';
import { checkScopes, grantsAny } from '../core/scope.js';
import type { DeviceKey, ScopeGrant } from '../core/session.js';
import type { RecordImages, WriteRule, Writer } from '../core/write-rule.js';
import type { Pusher } from './decide-acceptance.js';
import { staysInScopes } from './kept-scopes.js';
import type { CheckedChange } from './pushed-change.js';

/**
 * Is the record one where its session may write, before the change and after it, and do the rules of its collection agree? (R13)
 *
 * @throws SyncError FORBIDDEN, VALIDATION
 */
export function checkImages(
  { collection, kind, fields }: CheckedChange,
  view: RecordView,
  pusher: Pusher,
  own: readonly OpenIntent[],
  mapping: Mapping,
): void {
  const known = view.body === null ? null : parseBody(view.body);
  if (known !== null && !sees(pusher.writeGrant, collection, view)) {
    throw new SyncError(
      'FORBIDDEN',
      `${collection.name}: expected a record in one of the scopes in which the session may write`,
    );
  }
  if (kind === 'UPSERT' && staysInScopes(collection, fields, view)) return;
  const earlier = own.map((intent) => JSON.parse(intent.fields) as Fields);
  const shown = view.body === null && view.vis !== null ? parseBody(view.vis) : {};
  const stateOf = (edits: readonly Fields[]) => {
    const { fields: incoming, ...links } = mapping.incoming(Object.assign({}, shown, ...edits) as Fields);
    return { ...links, fields: wholeOf(collection, { ...known, ...incoming }) };
  };
  const isNew = known === null && view.vis === null && own.length === 0;
  const after = kind === 'DELETE' ? null : stateOf([...earlier, fields]);
  const who = { user: pusher.device.user, roles: pusher.roles, grant: pusher.grant };
  const images = { before: isNew ? null : stateOf(earlier).fields, after: after?.fields ?? null };
  checkPermission(collection, who, images, Object.keys(fields));
  if (after === null || grantsAny(withHidden(pusher), scopesAfter(collection, after, view, pusher.device))) return;
  throw new SyncError(
    'FORBIDDEN',
    `${collection.name}: expected a record in one of the session's scopes after the change`,
  );
}

/**
 * Is a record, as its source has it, in a scope of the session? One that its source does not have yet: as devices see it. One that was
 * erased is nobody's: no change makes it again. (R13)
 *
 * @throws SyncError VALIDATION - the rule gave no scopes
 */
export function sees(grant: ScopeGrant, collection: Collection, view: RecordView): boolean {
  const known = view.body ?? view.vis;
  if (known === null || isErased(view)) return false;
  if (collection.via !== undefined) return grantsAny(grant, view.scopes);
  return grantsAny(grant, checkScopes(collection.name, collection.scopesOf(wholeOf(collection, parseBody(known)))));
}

/** @throws SyncError VALIDATION - the scope rule gave something that is no scope */
function scopesAfter(collection: Collection, after: Incoming, view: RecordView, author: DeviceKey): readonly string[] {
  const { via } = collection;
  if (via === undefined) return scopesOfPending(collection, after, author);
  const target = after.fields[via.field];
  if (typeof target !== 'string') return [];
  const { parent } = after;
  const isStill = view.body !== null && parseBody(view.body)[via.field] === target;
  if (parent === undefined) {
    if (isStill) return view.scopes;
    // An id that a device made is waited for, be it unseen or unknown: the answer must not tell which (F18).
    return isDeviceMadeId(pushedTarget(target)) ? [hiddenScope(author)] : [];
  }
  if (parent.body !== null) return parent.deleted ? [] : parent.scopes;
  // Its own user made it, which was looked at then; or nobody knows it yet.
  const isOwn = parent.intents.length === 0 || parent.intents.some(({ device }) => device.user === author.user);
  return isOwn ? [hiddenScope(author)] : parent.scopes;
}

function wholeOf(collection: Collection, fields: Fields): Fields {
  const known = fields[KEPT];
  const whole = Object.fromEntries(collection.fields.map(({ name }) => [name, fields[name] ?? null]));
  return known === undefined ? whole : { ...whole, [KEPT]: known };
}

/** With the scope of what only the device's own sessions see (F21). */
function withHidden({ writeGrant, device }: Pusher): ScopeGrant {
  return writeGrant.kind === 'every'
    ? writeGrant
    : { ...writeGrant, scopes: [...writeGrant.scopes, hiddenScope(device)] };
}

/**
 * Do the rules of its collection let this writer make the change? (R13)
 *
 * @param pushed names of the fields that the change sets; those among them that it leaves as they are need no leave
 * @throws SyncError FORBIDDEN - no, `field` where it is one; whatever a rule throws
 */
function checkPermission(collection: Collection, who: Writer, images: RecordImages, pushed: readonly string[]): void {
  const { name, rules = {} } = collection;
  const { before, after } = images;
  const operation = before === null ? 'create' : after === null ? 'delete' : 'update';
  if (!allows(rules[operation], who, images)) {
    throw new SyncError('FORBIDDEN', `${name}: expected somebody who may ${operation} this record`);
  }
  if (after === null || rules.fields === undefined) return;
  const changed = changedFields(collection, before, after);
  const held = changed.find((field) => pushed.includes(field) && !allows(rules.fields?.[field], who, images));
  if (held === undefined) return;
  throw new SyncError('FORBIDDEN', `${name}.${held}: expected somebody who may change this field`, { field: held });
}

function allows(rule: WriteRule | undefined, who: Writer, images: RecordImages): boolean {
  return rule === undefined || rule(who, images) === true;
}
