import { SeededChance } from './seeded-chance.js';
import { LETTERS, PRODUCTS, SUPPLIERS, SUPPLY_CATEGORIES, type Product, type SupplyCategory } from './supply-words.js';

/** One item of the store room. */
export interface SupplyRecord {
  /** Like WND-001. */
  readonly sku: string;
  readonly name: string;
  readonly category: string;
  readonly unit: string;
  readonly quantity: number;
  /** Below this quantity it is ordered again. */
  readonly reorderLevel: number;
  /** Euro, two decimals, like "6.80". */
  readonly unitPrice: string;
  /** 13 digits as text, from the range that GS1 leaves for use inside a company: no real product has it. */
  readonly gtin: string | null;
  readonly expiresOn: string | null;
  readonly shelf: string | null;
  readonly supplier: string | null;
  readonly coldChain: boolean;
  /** 1 for a new one, one more with each update. */
  readonly version: number;
  readonly modifiedAt: string;
}

const DAY_MS = 86_400_000;

/** A home-care clinic's store room: the same records for the same seed and day. */
export function supplyRecords(seed: number, today: string): readonly SupplyRecord[] {
  const chance = new SeededChance(seed);
  const midnight = Date.parse(`${today}T00:00:00Z`);
  const supplies: SupplyRecord[] = [];
  for (const category of SUPPLY_CATEGORIES) {
    let number = 0;
    for (const product of PRODUCTS[category]) {
      for (const size of product.sizes) {
        number += 1;
        supplies.push(supplyRecord(chance, category, number, product, size, midnight, supplies.length));
      }
    }
  }
  return supplies;
}

function supplyRecord(
  chance: SeededChance,
  category: SupplyCategory,
  number: number,
  product: Product,
  size: string,
  midnight: number,
  index: number,
): SupplyRecord {
  const reorderLevel = chance.pick([5, 10, 20, 25, 40]);
  const keeps =
    ['gloves', 'mobility', 'protection', 'diagnostics'].includes(category) && !product.name.includes('strips');
  return {
    sku: `${LETTERS[category]}-${String(number).padStart(3, '0')}`,
    name: size === '' ? product.name : `${product.name}, ${size}`,
    category,
    unit: product.unit,
    quantity: chance.between(0, reorderLevel * 6),
    reorderLevel,
    unitPrice: product.price,
    gtin: gtinOf(index + 1),
    expiresOn: keeps ? null : new Date(midnight + chance.between(20, 1400) * DAY_MS).toISOString().slice(0, 10),
    shelf: `${chance.pick(['A', 'B', 'C', 'D'])}${chance.between(1, 9)}-${chance.between(1, 5)}`,
    supplier: chance.pick(SUPPLIERS),
    coldChain: category === 'infusion' && product.name.startsWith('Glucose'),
    version: 1,
    // No two have the same, or a page of changes could end inside equal ones.
    modifiedAt: new Date(midnight - 35 * DAY_MS + index * 60_000).toISOString(),
  };
}

/** 200 + number + check digit (GS1: weights 1 and 3 from the left). */
function gtinOf(number: number): string {
  const digits = `200${String(number).padStart(9, '0')}`;
  const sum = [...digits].reduce((total, digit, place) => total + Number(digit) * (place % 2 === 0 ? 1 : 3), 0);
  return `${digits}${(10 - (sum % 10)) % 10}`;
}
