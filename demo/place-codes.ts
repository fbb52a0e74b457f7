/** What GeoNames' feature codes mean. */
export const KIND_OF_FEATURE = {
  PPL: 'town',
  PPLA: 'stateSeat',
  PPLA2: 'regionSeat',
  PPLA3: 'districtSeat',
  PPLA4: 'municipalitySeat',
  PPLC: 'capital',
  PPLG: 'governmentSeat',
  PPLH: 'historical',
  PPLL: 'hamlet',
  PPLS: 'settlement',
  PPLX: 'quarter',
} as const satisfies Readonly<Record<string, string>>;
export type PlaceKind = (typeof KIND_OF_FEATURE)[keyof typeof KIND_OF_FEATURE];
export const PLACE_KINDS: readonly PlaceKind[] = Object.values(KIND_OF_FEATURE);

/** GeoNames' numbers of the federal states. */
export const STATE_OF_ADMIN_CODE = {
  '01': 'BW',
  '02': 'BY',
  '03': 'HB',
  '04': 'HH',
  '05': 'HE',
  '06': 'NI',
  '07': 'NW',
  '08': 'RP',
  '09': 'SL',
  '10': 'SH',
  '11': 'BB',
  '12': 'MV',
  '13': 'SN',
  '14': 'ST',
  '15': 'TH',
  '16': 'BE',
} as const satisfies Readonly<Record<string, string>>;
export type State = (typeof STATE_OF_ADMIN_CODE)[keyof typeof STATE_OF_ADMIN_CODE];
export const STATES: readonly State[] = Object.values(STATE_OF_ADMIN_CODE);
