/**
 * Chance that is drawn per actor and occasion, not in the order of the draws: a schedule from which steps are taken away
 * meets nearly the same troubles as before, so that it can be made smaller.
 */
export interface Dice {
  /** 0 <= n < 1: the next draw of this occasion. */
  roll(occasion: string): number;
  /** One of them, the next draw of this occasion. */
  pick<Item>(occasion: string, items: readonly Item[]): Item;
}

export function createDice(seed: number): Dice {
  const draws = new Map<string, { hash: number; count: number }>();
  function roll(occasion: string): number {
    let draw = draws.get(occasion);
    if (draw === undefined) draws.set(occasion, (draw = { hash: hashOf(occasion, seed), count: 0 }));
    return mixed(draw.hash + Math.imul(++draw.count, 0x6d2b79f5)) / 4294967296;
  }
  return { roll, pick: (occasion, items) => items[Math.floor(roll(occasion) * items.length)] as never };
}

function hashOf(text: string, seed: number): number {
  let hash = mixed(seed ^ 0x2545f491);
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mixed(hash);
}

/** The last steps of mulberry32. */
function mixed(state: number): number {
  let value = Math.imul(state ^ (state >>> 15), 1 | state);
  value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
  return (value ^ (value >>> 14)) >>> 0;
}
