import type { Asked, ODataService } from './odata-service.js';
import { SETS } from './service-schema.js';
import { ServiceFault, type Entity, type StoredEntity } from './service-store.js';

/** An entity as an answer shows it: `$select`, `$expand`, and numbers of 64 bits as texts only for those who ask for it. */
export function shown(service: Pick<ODataService, 'store'>, set: string, stored: StoredEntity, asked: Asked): Entity {
  const row: Record<string, unknown> = { '@odata.etag': stored.etag };
  const select = asked.query.get('$select')?.split(',');
  const { properties = {} } = SETS[set] ?? {};
  for (const name of select ?? []) {
    if (!(name in properties)) throw new ServiceFault(400, 'BadSelect', `there is no property ${name}`);
  }
  const asTexts = (asked.headers.accept ?? '').includes('IEEE754Compatible=true');
  for (const [name, type] of Object.entries(properties)) {
    if (select !== undefined && !select.includes(name)) continue;
    const value = stored.entity[name] ?? null;
    const isLarge = type === 'Edm.Int64' || type === 'Edm.Decimal';
    row[name] = isLarge && value !== null && !asTexts ? Number(value) : value;
  }
  const expand = asked.query.get('$expand');
  if (expand === null) return row;
  if (set !== 'Visits' || !expand.startsWith('Lines'))
    throw new ServiceFault(400, 'BadExpand', `cannot expand ${expand}`);
  row['Lines'] = service.store
    .all('Lines')
    .filter(({ entity }) => entity['VisitID'] === stored.entity['ID'])
    .map(({ entity }) => ({ Number: entity['Number'], Sku: entity['Sku'] }));
  return row;
}
