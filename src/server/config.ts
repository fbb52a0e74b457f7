import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import { z } from 'zod';
import type { Auth } from '../auth/auth.js';
import { StartupError } from '../core/errors.js';
import type { ConnectorDefinition } from '../connectors/define.js';
import { DEVELOPMENT_USERS } from './development-users.js';
import { variableOf, withEnvironment, type Environment } from './environment-settings.js';
import { inFolder, PUSH_SETTINGS } from './push-settings.js';

const CONNECTORS = z
  .array(z.custom<ConnectorDefinition>(isConnector, 'expected what defineConnector() returns'))
  .default([]);
/** What keys, addresses and labels take without escaping. */
const TENANT_ID = /^[a-z0-9][a-z0-9-]{0,39}$/;

/** Every key with its default, unit and reason; unknown keys are refused. Environment variables win over the file. */
const SETTINGS = z.strictObject({
  /** Where the gateway listens. Development mode (no auth) accepts loopback addresses only. */
  host: z.string().min(1).default('127.0.0.1'),
  /** 0 takes any free port. */
  port: z.int().min(0).max(65_535).default(4000),
  /** A Postgres URL; absent: an embedded Postgres in the data folder. */
  databaseUrl: z.string().min(1).optional(),
  /**
   * Where `databaseUrl` leads to a connection pooler, like PgBouncer: the same database without it. Migrations and hints between processes need a
   * session; each process keeps one.
   */
  directDatabaseUrl: z.string().min(1).optional(),
  /** What persists: the embedded Postgres and, in the demo, the sources. */
  dataFolder: z.string().min(1).default('.tidegate'),
  /** How users sign in, as `tidegate/auth` says. Absent: development mode, in which everybody is an operator who sees everything. */
  auth: z.custom<Auth>(isAuth, 'expected { session, issuers, keys } with an issuer or a key').optional(),
  /** A file with the operations of your apps, relative to the working folder: nothing else is executed. Absent: everything within the limits. */
  documents: z.string().min(1).optional(),
  /** May GraphQL be asked for its schema? Absent: in development mode only. */
  introspection: z.boolean().optional(),
  /** Where development mode (no auth) may listen: `any` only behind something that keeps strangers out, like a container. */
  developmentNetwork: z.enum(['loopback', 'any']).default('loopback'),
  /**
   * Users that a request of development mode may come from, by the name in `Authorization: Bearer <name>`; one without a name comes from the
   * developer. Without this setting nobody looks at names.
   */
  developmentUsers: DEVELOPMENT_USERS.optional(),
  /** Host names that requests may carry besides loopback ones and `host` (DNS rebinding). */
  allowedHosts: z.array(z.string().min(1)).default([]),
  /** Origins of web apps that may call from a browser, besides the gateway's own. */
  allowedOrigins: z.array(z.string().min(1)).default([]),
  /** Largest request body, bytes: 1,000 changes of 4 KB fit. */
  maxBodyBytes: z.int().min(1_000).max(256_000_000).default(4_194_304),
  /** Requests of one user in the long run, per second; without `auth` nothing is counted. A pull a second of each device is little. */
  requestsPerSecond: z.number().min(1).max(100_000).default(50),
  /** Requests of one user at once, after a rest: an initial sync of several devices. */
  requestBurst: z.int().min(1).max(100_000).default(200),
  /** Open WebSockets of one user, per process; without `auth` they are not counted. */
  maxSocketsPerUser: z.int().min(1).max(100_000).default(20),
  /** Open WebSockets of this process. */
  maxSockets: z.int().min(1).max(1_000_000).default(10_000),
  /** Most changes in one push: what a device gathers in a day, and one commit of a few hundred kilobytes. */
  maxChangesPerPush: z.int().min(1).max(10_000).default(1_000),
  /** How long a push waits for its sources before it answers ACCEPTED, ms (R10). */
  patienceMs: z.int().min(0).max(60_000).default(2_000),
  /** How long a change waits for a record that it refers to and that nobody knows yet, ms (F18). */
  parentPatienceMs: z.int().min(0).max(86_400_000).default(900_000),
  /** Tombstones and receipts are kept this long; devices silent for longer reset (specification part 2). */
  retentionDays: z.int().min(1).max(3_650).default(90),
  /** Rows of the audit log are kept this long: a year, and time to look back at it. */
  auditDays: z.int().min(1).max(3_650).default(400),
  /** Hints to one device are joined over this window, ms (R18). */
  hintWindowMs: z.int().min(0).max(60_000).default(100),
  /** How sleeping phones are hinted. Absent: they are not, they pull when their apps open. */
  push: PUSH_SETTINGS.optional(),
  /** Collections whose connector may read other keys than at the last start: with others every record is another one (F20). */
  acceptNewKeys: z.array(z.string().min(1)).default([]),
  /**
   * Keys for what rests here encrypted (F29, F32): `id:base64` of 32 bytes, the one that seals first, older ones behind it after commas; or a
   * function that gives them at the start. Best from the environment or a file.
   */
  sealingKeys: z
    .union(
      [z.string().min(1), z.custom<() => Promise<string>>((value) => typeof value === 'function')],
      'expected keys, or a function',
    )
    .optional(),
  /** A file with such keys, one a line, that others cannot read; relative to the working folder. */
  sealingKeysFile: z.string().min(1).optional(),
  /** Ready-text pages and compiled queries; off: plain graphql-js, for comparing. */
  fastPath: z.boolean().default(true),
  /** `silent` to `debug`. */
  logLevel: z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('info'),
  /** The connectors of the tenant `default`: what `defineConnector` returns. */
  connectors: CONNECTORS,
  /** Customers that are kept fully apart, each with sources of its own and all with the same collections. Absent: one, `default`. */
  tenants: z
    .array(
      z.strictObject({
        /** Stands in sessions, addresses of webhooks, metrics and logs. */
        id: z.string().regex(TENANT_ID, 'expected 1 to 40 characters of a-z, 0-9 and "-", the first a letter or digit'),
        connectors: CONNECTORS,
        /** As at the top, for this tenant. */
        acceptNewKeys: z.array(z.string().min(1)).default([]),
      }),
    )
    .default([]),
});

/** The checked configuration: read once at start, passed down, immutable. */
export type Config = Readonly<z.output<typeof SETTINGS>> & {
  /** Absolute path of the file it came from, or null when there was none. */
  readonly file: string | null;
};

/** What a `tidegate.config.ts` exports by default. */
export type TidegateConfig = z.input<typeof SETTINGS>;

/** Gives editors the type of a configuration; returns it unchanged. */
export function defineConfig(config: TidegateConfig): TidegateConfig {
  return config;
}

/** The environment as the program may see it: the only place that reads `process.env`. */
export function environment(): Environment {
  return process.env;
}

/**
 * Reads the configuration file (TIDEGATE_CONFIG, else `tidegate.config.ts` in the working folder if there is one), lays the
 * environment over it and checks every key.
 *
 * @param defaults what holds where neither file nor environment says anything (the demo brings its connectors)
 * @throws StartupError config - naming file, line, key, what was expected and what came
 */
export async function loadConfig(env: Environment, folder: string, defaults: TidegateConfig = {}): Promise<Config> {
  const file = configFile(env, folder);
  const fromFile = file === null ? {} : await importConfig(file);
  const merged = withEnvironment({ ...defaults, ...fromFile }, env);
  const checked = SETTINGS.safeParse(merged);
  if (!checked.success) throw new StartupError('config', describeIssues(checked.error, merged, file, env));
  const { dataFolder, documents, sealingKeysFile, push } = checked.data;
  const resolved = {
    dataFolder: path.resolve(folder, dataFolder),
    ...(documents === undefined ? {} : { documents: path.resolve(folder, documents) }),
    ...(sealingKeysFile === undefined ? {} : { sealingKeysFile: path.resolve(folder, sealingKeysFile) }),
    ...(push === undefined ? {} : { push: inFolder(push, folder) }),
  };
  return { ...checked.data, ...resolved, file };
}

function configFile(env: Environment, folder: string): string | null {
  const named = env['TIDEGATE_CONFIG'];
  const file = path.resolve(folder, named ?? 'tidegate.config.ts');
  if (existsSync(file) && statSync(file).isFile()) return file;
  if (named === undefined) return null;
  throw new StartupError('config', `TIDEGATE_CONFIG: expected a configuration file at ${file}, found none`);
}

async function importConfig(file: string): Promise<TidegateConfig> {
  const own = (module: string): string => fileURLToPath(new URL(`../${module}`, import.meta.url));
  const jiti = createJiti(import.meta.url, {
    // Else a module without a default export is taken for the configuration itself.
    interopDefault: false,
    moduleCache: false,
    // A configuration beside a clone or an install gets the very modules that run.
    alias: {
      'tidegate/connector/rest': own('connectors/rest.js'),
      'tidegate/connector/odata': own('connectors/odata.js'),
      'tidegate/connector/soap': own('connectors/soap.js'),
      'tidegate/connector': own('connectors/define.js'),
      'tidegate/auth': own('auth/auth.js'),
      'tidegate/connectors/clinic': own('../connectors/clinic.js'),
      'tidegate/connectors/supplies': own('../connectors/supplies.js'),
      tidegate: own('server/config.js'),
    },
  });
  let exported: unknown;
  try {
    exported = (await jiti.import<{ readonly default?: unknown }>(file)).default;
  } catch (cause) {
    throw new StartupError('config', `${file}${lineOfFault(cause, file)}: cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
  if (typeof exported !== 'object' || exported === null || Array.isArray(exported)) {
    throw new StartupError('config', `${file}: expected "export default { … }", got ${describeGot(exported)}`);
  }
  return exported;
}

function describeIssues(error: z.ZodError, merged: object, file: string | null, env: Environment): string {
  const lines = error.issues.map((issue) => {
    const unknownKey = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
    const key = [...issue.path.map(String), ...(unknownKey === undefined ? [] : [unknownKey])];
    const where = variableOf(key, env) ?? (file === null ? 'built-in configuration' : `${file}${lineOfKey(file, key)}`);
    const got = describeGot(
      key.reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], merged),
    );
    const known = key.length === 1 ? `; known keys: ${Object.keys(SETTINGS.shape).join(', ')}` : '';
    const expected = unknownKey === undefined ? expectation(issue.message) : `no such key${known}`;
    return `${where}: ${key.join('.') || 'configuration'}: ${expected}${unknownKey === undefined ? `, got ${got}` : ''}`;
  });
  return lines.join('\n');
}

/** zod's words, without what it says of the value that came. */
function expectation(message: string): string {
  return message.replace(/^(Invalid input|Invalid option): /, '').replace(/, received .*$/s, '');
}

/** What came, in short; objects by their kind only: they may hold more than one line can show. */
function describeGot(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function lineOfKey(file: string, key: readonly string[]): string {
  const name = [...key].reverse().find((part) => !/^[0-9]+$/.test(part));
  if (name === undefined) return '';
  const at = readFileSync(file, 'utf8')
    .split('\n')
    .findIndex((line) => new RegExp(`(^|[\\s{,'"])${name}['"]?\\s*[:,(]`).test(line));
  return at < 0 ? '' : `:${at + 1}`;
}

function lineOfFault(cause: unknown, file: string): string {
  const { message, stack = '' } = readFault(cause);
  const escaped = path.basename(file).replaceAll('.', '\\.');
  const text = `${message}\n${stack}`;
  const match = new RegExp(`${escaped}:(\\d+)`).exec(text) ?? /\((\d+):\d+\)/.exec(text);
  return match === null ? '' : `:${match[1]}`;
}

function messageOf(cause: unknown): string {
  return readFault(cause).message.split('\n')[0] ?? '';
}

/** What a configuration throws may be of another realm, where it is no Error of ours. */
function readFault(cause: unknown): { readonly message: string; readonly stack?: string } {
  const isFault = typeof cause === 'object' && cause !== null && 'message' in cause;
  return isFault ? (cause as Error) : { message: String(cause) };
}

function isAuth(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Object.keys(value).some((key) => !AUTH_KEYS.has(key)))
    return false;
  const { session, issuers = [], keys = [] } = value as Partial<Auth>;
  if (typeof session !== 'function' || !Array.isArray(issuers) || !Array.isArray(keys)) return false;
  const names = (issuers as Auth['issuers'])?.map(({ issuer }) => issuer) ?? [];
  return issuers.length + keys.length > 0 && new Set(names).size === names.length;
}

const AUTH_KEYS = new Set(['session', 'issuers', 'keys']);

function isConnector(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'source' in value && 'collections' in value;
}
