/**
 * Joins reads that are asked for in the same tick into one: fields of many results cost one query.
 *
 * @param readAll reads what was asked for, each key once
 * @returns reads one value; null when `readAll` has none for its key
 */
export function jointReads<Value>(
  readAll: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): (key: string) => Promise<Value | null> {
  let waiting: { readonly keys: Set<string>; readonly found: Promise<ReadonlyMap<string, Value>> } | null = null;

  async function readSoon(keys: ReadonlySet<string>): Promise<ReadonlyMap<string, Value>> {
    // Every field of the running tick is asked for before this goes on.
    await new Promise<void>((resolve) => setImmediate(resolve));
    waiting = null;
    return readAll([...keys]);
  }

  return async (key) => {
    if (waiting === null) {
      const keys = new Set<string>();
      waiting = { keys, found: readSoon(keys) };
    }
    waiting.keys.add(key);
    return (await waiting.found).get(key) ?? null;
  };
}
