import { valueText, type Collection } from '../core/collection.js';
import type { Observation, SourceFacts } from '../core/source-port.js';
import type { NotedCall } from './noted-call.js';

/** Why nothing can be found out, in an operator's words. */
export function offerOf(facts: SourceFacts): string {
  const expired = facts.idempotencyKeyLifetimeMs === undefined ? '' : ', its idempotency key is too old by now';
  return `whether it took effect cannot be found out: the source offers no way to ask for it${expired}`;
}

/** What was sent and what is there, shortened: for the device whose change it is. */
export function bothValues(
  collection: Collection,
  call: NotedCall,
  shown: Observation,
  fields: readonly string[],
): string {
  // Kept with the change and logged: no value of such a collection may be in it (F29).
  if (collection.keeping !== undefined) return `the source has other values of ${fields.slice(0, 3).join(', ')}`;
  const texts = fields.slice(0, 3).map((name) => {
    return `${name} was sent as ${short(valueText(call.fields[name]))}, the source has ${short(valueText(shown.fields?.[name]))}`;
  });
  return texts.join('; ');
}

function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…`.toWellFormed() : text;
}
