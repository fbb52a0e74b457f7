/** Variables that name a setting, by its place in the configuration: `push.fcm.credentials`. */
const VARIABLES: readonly { readonly variable: string; readonly key: string; readonly number?: true }[] = [
  { variable: 'PORT', key: 'port', number: true },
  { variable: 'HOST', key: 'host' },
  { variable: 'DATABASE_URL', key: 'databaseUrl' },
  { variable: 'TIDEGATE_DIRECT_DATABASE_URL', key: 'directDatabaseUrl' },
  { variable: 'TIDEGATE_DATA', key: 'dataFolder' },
  { variable: 'TIDEGATE_LOG', key: 'logLevel' },
  { variable: 'TIDEGATE_DEVELOPMENT_NETWORK', key: 'developmentNetwork' },
  { variable: 'TIDEGATE_SEALING_KEYS', key: 'sealingKeys' },
  { variable: 'TIDEGATE_SEALING_KEYS_FILE', key: 'sealingKeysFile' },
  { variable: 'TIDEGATE_PARENT_PATIENCE', key: 'parentPatienceMs', number: true },
  { variable: 'TIDEGATE_FCM_CREDENTIALS', key: 'push.fcm.credentials' },
];

export type Environment = Readonly<Record<string, string | undefined>>;

/** The settings with those of the environment laid over them; what stands beside one of them stays. */
export function withEnvironment(settings: object, env: Environment): object {
  return VARIABLES.reduce((placed, { variable, key, number }) => {
    const text = env[variable];
    if (text === undefined || text === '') return placed;
    return place(placed, key.split('.'), number === true && /^[0-9]+$/.test(text) ? Number(text) : text);
  }, settings);
}

/** The variable that a setting came from; undefined: it did not come from the environment. */
export function variableOf(key: readonly string[], env: Environment): string | undefined {
  return VARIABLES.find((one) => one.key === key.join('.') && env[one.variable] !== undefined)?.variable;
}

function place(settings: object, [first = '', ...rest]: readonly string[], value: unknown): object {
  if (rest.length === 0) return { ...settings, [first]: value };
  const inner = (settings as Readonly<Record<string, unknown>>)[first] ?? {};
  // What is no object there is told when the settings are checked.
  return typeof inner === 'object' && !Array.isArray(inner)
    ? { ...settings, [first]: place(inner, rest, value) }
    : settings;
}
