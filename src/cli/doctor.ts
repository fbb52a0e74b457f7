import type { SourceKey } from '../core/change.js';
import { StartupError } from '../core/errors.js';
import { examine, type Asked, type CollectionReport, type Finding } from '../server/examine.js';
import { loadConfig } from '../server/config.js';
import { placeOf } from '../server/configured-tenants.js';
import { createLog } from '../server/telemetry.js';
import { callsText } from './plan.js';

/**
 * `tidegate doctor`: tries the configuration, the store, and what each connector declares of its source, and says what it
 * found. Writes nothing, but for the record that `write` names.
 *
 * @throws StartupError - config, store, source, contradicted: the first thing that is wrong decides the exit code
 */
export async function doctor(
  env: Readonly<Record<string, string | undefined>>,
  options: {
    readonly connector: string | undefined;
    readonly tenant: string | undefined;
    readonly json: boolean;
    readonly write: string | undefined;
  },
): Promise<void> {
  const config = await loadConfig(env, process.cwd());
  const file = config.file ?? 'built-in (no tidegate.config.ts here)';
  const found: (Finding | CollectionReport)[] = [{ what: 'configuration', ok: true, says: file, reason: null }];
  const asked: Asked = {
    tenant: options.tenant ?? null,
    connector: options.connector ?? null,
    write: recordOf(options.write),
  };
  const show = options.json ? () => undefined : (one: Finding | CollectionReport) => console.log(textOf(one));
  found.forEach(show);
  // What the sources' guards log is in the findings.
  for await (const one of examine(config, asked, createLog('silent'))) {
    found.push(one);
    show(one);
  }
  if (options.json) console.log(JSON.stringify(found, null, 2));
  const worst = found.map(faultOf).find((fault) => fault !== null);
  if (worst !== undefined) throw worst;
  if (!options.json) console.log('Nothing is wrong.');
}

function recordOf(text: string | undefined): Asked['write'] {
  if (text === undefined) return null;
  const [, collection, key] = /^([^/]+)\/(.+)$/s.exec(text) ?? [];
  if (collection === undefined || key === undefined)
    throw new StartupError('config', `--write: expected <collection>/<key>, got ${text}`);
  return { collection, key: key as SourceKey };
}

type FactFinding = CollectionReport['findings'][number];

/** What a process ends with because of it; null: all is well, or cannot be told. */
function faultOf(one: Finding | CollectionReport): StartupError | null {
  if ('what' in one) return one.ok ? null : new StartupError(one.reason ?? 'fault', `${one.what}: ${one.says}`);
  const wrong = one.findings.filter(({ verdict }) => verdict === 'contradicts');
  const [first] = wrong;
  if (first === undefined) return null;
  const where = placeOf(one);
  if (!one.isRead) return new StartupError('source', `${where}: ${first.got}`);
  return new StartupError('contradicted', `${where}: ${wrong.map(({ fact }) => fact).join(', ')}: not as declared`);
}

function textOf(one: Finding | CollectionReport): string {
  if ('what' in one) return line(one.ok ? 'ok' : 'WRONG', one.what, one.says);
  const where = placeOf(one);
  if (one.notAsked !== null) return line('open', where, `not asked: ${one.notAsked}; ${one.plan.says}`);
  if (!one.isRead) return line('WRONG', where, one.findings.map(({ got }) => got).join('; '));
  const count = (verdict: FactFinding['verdict']): number => one.findings.filter((f) => f.verdict === verdict).length;
  const wrong = count('contradicts');
  const sum = `${count('ok')} facts fit, ${wrong} contradict, ${count('cannotTell')} cannot be told, by ${one.calls} calls`;
  const { guaranteed, notGuaranteed } = one.guarantees;
  return [
    line(wrong === 0 ? 'ok' : 'WRONG', where, sum),
    ...one.findings.map((finding) => `       ${factText(finding)}`),
    ...guaranteed.map((promise) => `       ${wrong === 0 ? 'guaranteed' : 'once that is mended'}: ${promise}`),
    ...notGuaranteed.map((lack) => `       NOT guaranteed: ${lack}`),
    `       costs ${callsText(one.plan.callsPerDay)}`,
  ].join('\n');
}

function factText({ fact, verdict, expected, got, means }: FactFinding): string {
  if (verdict === 'ok') return line('ok', fact, got);
  const said = `expected ${expected}, got ${got}`;
  return line(verdict === 'contradicts' ? 'WRONG' : 'open', fact, means === null ? said : `${said}; ${means}`);
}

function line(mark: string, what: string, says: string): string {
  return `${mark.padEnd(5)}  ${what}: ${says}`;
}
