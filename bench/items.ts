/** A record of ten fields and about 500 bytes of JSON, the size that the peers were measured with. */
export interface Item {
  readonly id: string;
  readonly name: string;
  readonly street: string;
  readonly city: string;
  readonly status: 'OPEN' | 'PLANNED' | 'DONE';
  readonly note: string;
  readonly amount: string;
  readonly count: number;
  readonly active: boolean;
  readonly dueAt: string;
  readonly updatedAt: string;
}

const CITIES = ['Rotterdam', 'Antwerpen', 'Bremen', 'Gdańsk', 'Århus', 'Göteborg', 'Le Havre', 'Porto'];
const STATUSES = ['OPEN', 'PLANNED', 'DONE'] as const;
const NOTE =
  'Second door on the left; the key is with the neighbour. Measure blood pressure sitting and standing, ask for the pain ' +
  'diary, renew the dressing at the left ankle and take a picture of it. Medication box is filled on Mondays.';
const FIRST_UPDATE_MS = Date.UTC(2026, 0, 1);

/** The n-th item in its n-th second of history; `revision` changes two fields, as edits do. */
export function item(n: number, revision = 0, updatedAtMs = FIRST_UPDATE_MS + n * 10): Item {
  return {
    id: String(n).padStart(8, '0'),
    name: `Customer ${n} of the northern district`,
    street: `${(n % 240) + 1} Harbour Street`,
    city: CITIES[n % CITIES.length] as string,
    status: STATUSES[(n + revision) % 3] as Item['status'],
    note: revision === 0 ? NOTE : `${NOTE} (visit ${revision})`,
    amount: `${(n % 900) + 10}.50`,
    count: n % 37,
    active: n % 5 !== 0,
    dueAt: new Date(FIRST_UPDATE_MS + (n % 5000) * 60_000).toISOString(),
    updatedAt: new Date(updatedAtMs).toISOString(),
  };
}
