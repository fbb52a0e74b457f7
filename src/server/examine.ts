import type { SourceKey } from '../core/change.js';
import { createSource, keyFormsOf } from '../connectors/define.js';
import type { ExaminedCollection } from '../connectors/examined-collection.js';
import { examineCollection } from '../connectors/examination.js';
import { createAnswerWatch, type AnswerWatch } from '../connectors/probe-answers.js';
import type { FactFinding } from '../connectors/probe-finding.js';
import type { WebhookFacts } from '../connectors/webhook.js';
import { StartupError, SyncError, type ExitReason } from '../core/errors.js';
import type { Clock, Log } from '../core/ports.js';
import { createSchema } from '../graphql/schema.js';
import { describeUrl, openDatabase } from '../store/database.js';
import { checkDataFolder } from '../store/data-folder.js';
import { systemClock } from './clock.js';
import type { Config } from './config.js';
import { chosenTenants, configuredTenants, DEFAULT_TENANT, type ConfiguredTenant } from './configured-tenants.js';
import { guaranteesOf, type Guarantees } from './guarantees.js';
import { planFor, type CollectionPlan } from './plan.js';

/** One thing that was looked at, and what there is to say about it. */
export interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly says: string;
  /** What a process exits with because of it; null when all is well. */
  readonly reason: ExitReason | null;
}

/** What was found of one collection, and what follows from its facts as they are declared. */
export interface CollectionReport {
  readonly tenant: string;
  readonly source: string;
  readonly collection: string;
  /** Why it was not asked; null: it was. */
  readonly notAsked: string | null;
  /** Did its list answer at all? */
  readonly isRead: boolean;
  readonly findings: readonly FactFinding[];
  /** Requests that the examination took. */
  readonly calls: number;
  readonly plan: CollectionPlan;
  readonly guarantees: Guarantees;
}

/** What to examine: one tenant or all, one source of it or all; and a record whose write guard is tried. */
export interface Asked {
  readonly tenant: string | null;
  readonly connector: string | null;
  readonly write: { readonly collection: string; readonly key: SourceKey } | null;
}

/** A collection's examination may take this long. */
const EXAMINED_WITHIN_MS = 120_000;

/**
 * Looks at everything that a start needs, then at each collection's declared facts, one after the other. Writes nothing but what
 * `asked.write` names.
 *
 * @throws StartupError config - there is no such tenant, connector or collection
 */
export async function* examine(
  config: Config,
  asked: Asked,
  log: Log,
  clock: Clock = systemClock,
): AsyncGenerator<Finding | CollectionReport, void> {
  const chosen = chosenOf(config, asked);
  yield await find('schema', 'config', async () => {
    const [{ collections }] = configuredTenants(config);
    createSchema(collections);
    return `${collections.length} collections: ${collections.map(({ name }) => name).join(', ') || 'none'}`;
  });
  yield await find('store', 'store', () => lookAtStore(config));
  for (const { tenant, connector, keyForms } of chosen) {
    const watch = createAnswerWatch(clock);
    const source = createSource(connector, { clock, chance: Math.random, log, answered: watch.note }, keyForms);
    if (connector.webhook !== undefined) yield webhookFinding(tenant, connector.source, connector.webhook);
    try {
      for (const examined of source.examined) {
        const { name } = examined.source.collection;
        const named = asked.write?.collection === name ? asked.write.key : null;
        yield await reportOf(tenant, source.name, examined, named, watch, clock);
      }
    } finally {
      await source.close();
    }
  }
}

/** A connector that is examined, and whose it is. */
interface Chosen {
  readonly tenant: string;
  readonly connector: ConfiguredTenant['connectors'][number];
  readonly keyForms: ReturnType<typeof keyFormsOf>;
}

function chosenOf(config: Config, { tenant, connector, write }: Asked): readonly Chosen[] {
  const all = chosenTenants(config, tenant).flatMap(({ id, connectors }) => {
    const keyForms = keyFormsOf(connectors);
    return connectors.map((one): Chosen => ({ tenant: id, connector: one, keyForms }));
  });
  const chosen = connector === null ? all : all.filter((one) => one.connector.source === connector);
  if (connector !== null && chosen.length === 0)
    throw new StartupError(
      'config',
      `expected one of ${[...new Set(all.map((one) => one.connector.source))].join(', ')}, got ${connector}`,
    );
  const having = chosen.filter((one) => write !== null && Object.hasOwn(one.connector.collections, write.collection));
  if (write !== null && having.length === 0) {
    const names = new Set(chosen.flatMap((one) => Object.keys(one.connector.collections)));
    throw new StartupError('config', `--write: expected one of ${[...names].join(', ')}, got ${write.collection}`);
  }
  // A record is of one tenant.
  if (having.length > 1)
    throw new StartupError('config', '--write: expected --tenant with it, since there are several');
  return chosen;
}

async function reportOf(
  tenant: string,
  source: string,
  examined: ExaminedCollection,
  named: SourceKey | null,
  watch: AnswerWatch,
  clock: Clock,
): Promise<CollectionReport> {
  const { collection, facts } = examined.source;
  const maintainedMs = examined.source.maintenanceLeftMs?.() ?? 0;
  const isAsked = maintainedMs === 0;
  const until = new Date(clock.nowMs() + maintainedMs).toISOString();
  const examination = isAsked
    ? await examineCollection(
        examined,
        { clock, chance: Math.random, watch },
        named,
        AbortSignal.timeout(EXAMINED_WITHIN_MS),
      )
    : { findings: [], calls: 0, isRead: false };
  return {
    tenant,
    source,
    collection: collection.name,
    notAsked: isAsked ? null : `it is being maintained until ${until}`,
    ...examination,
    plan: planFor(tenant, source, examined.source),
    guarantees: guaranteesOf(facts, collection.writes),
  };
}

async function find(what: string, reason: ExitReason, look: () => Promise<string>): Promise<Finding> {
  try {
    return { what, ok: true, says: await look(), reason: null };
  } catch (thrown) {
    const says =
      thrown instanceof SyncError ? thrown.message.replace(`${what}: `, '') : `unexpected fault: ${String(thrown)}`;
    return { what, ok: false, says, reason: thrown instanceof StartupError ? thrown.reason : reason };
  }
}

/** How its webhooks come, and what they do not show; nothing of a secret. Whether it sends them its own people have to say. */
function webhookFinding(tenant: string, source: string, { proof, names }: WebhookFacts): Finding {
  const path = tenant === DEFAULT_TENANT ? source : `${tenant}/${source}`;
  const of =
    names === undefined
      ? 'all collections'
      : typeof names === 'function'
        ? 'what a function reads in it'
        : [names].flat().join(', ');
  const says = `expected at POST /webhooks/${path}, proven by ${proofInWords(proof)}; a hint to poll ${of}`;
  return { what: `webhook of ${path}`, ok: true, says, reason: null };
}

function proofInWords({ kind, options }: WebhookFacts['proof']): string {
  if (kind === 'sharedSecret') return `a secret in ${options.header} (NOT guaranteed: that its body is the source's)`;
  const { algorithm = 'sha256', header, timestamp, id } = options;
  const isOnce = timestamp !== undefined || id !== undefined;
  const repeats = isOnce
    ? ', each counts once'
    : ' (NOT guaranteed: that one sent again is told from a new one; it costs a poll)';
  return `HMAC ${algorithm} in ${header}${repeats}`;
}

async function lookAtStore({ databaseUrl, directDatabaseUrl, dataFolder }: Config): Promise<string> {
  if (databaseUrl === undefined) return checkDataFolder(dataFolder);
  // What leads through a pooler is looked at when the gateway starts: before the first start it cannot be as it must be.
  const database =
    directDatabaseUrl === undefined
      ? await openDatabase(databaseUrl, 1)
      : await openDatabase(directDatabaseUrl, 1, { variable: 'TIDEGATE_DIRECT_DATABASE_URL' });
  await database.end();
  return `Postgres at ${describeUrl(directDatabaseUrl ?? databaseUrl)} answers`;
}
