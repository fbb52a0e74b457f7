/**
 * As much of WatermelonDB as the glue touches in a sync of visits: their schema, and local storage.
 *
 * @param local what is stored there
 */
export function visitsDatabase(local: Map<string, string>) {
  return {
    adapter: {
      getLocal: async (key: string) => local.get(key),
      setLocal: async (key: string, value: string) => void local.set(key, value),
      find: async () => null,
    },
    get: () => ({ find: () => Promise.reject(new Error('expected no look-up')) }),
    schema: { tables: { visits: { columns: { note: { type: 'string' } } } } },
  };
}
