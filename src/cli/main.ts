#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { EXIT_CODES, StartupError } from '../core/errors.js';
import { environment } from '../server/config.js';
import { addAudit } from './audit.js';
import { addCollections } from './collections.js';
import { addDevices } from './devices.js';
import { addEpoch } from './epoch.js';
import { addErase } from './erase.js';
import { addInspect } from './inspect.js';
import { addKeys } from './keys.js';
import { addOutbox } from './outbox.js';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const EXIT_CODE_HELP = `
Exit codes: 0 done or stopped; ${Object.entries(EXIT_CODES)
  .map(([reason, code]) => `${code} ${reason}`)
  .join('; ')}.
Environment: PORT, HOST, DATABASE_URL, TIDEGATE_DATA, TIDEGATE_CONFIG, TIDEGATE_LOG, TIDEGATE_TOKEN; see README.md.`;

const program = new Command('tidegate')
  .description('A GraphQL sync gateway in front of REST, OData and SOAP systems.')
  .version(version)
  .addHelpText('after', EXIT_CODE_HELP)
  .exitOverride();

// Loaded when they are asked for: what talks to a running gateway needs neither a store nor sources.
const start = async () => (await import('./start.js')).start;
const demo = async () => (await import('./demo.js')).demo;
const schema = async () => (await import('./schema.js')).schema;
const plan = async () => (await import('./plan.js')).plan;
const doctor = async () => (await import('./doctor.js')).doctor;

program
  .command('start')
  .description('run the gateway with tidegate.config.ts (or TIDEGATE_CONFIG)')
  .action(async () => (await start())(environment()));

program
  .command('demo')
  .description('run a clinic: a REST and a SOAP source, and the gateway in front of them')
  .option('--back-office', 'keep editing the sources, so that changes can be watched')
  .action(async (options: { backOffice?: boolean }) =>
    (await demo())(environment(), { backOffice: options.backOffice === true }),
  );

program
  .command('schema')
  .description("print the GraphQL schema of the configuration's collections")
  .option('--demo', "of the demo's collections")
  .action(async (options: { demo?: boolean }) => (await schema())(environment(), { demo: options.demo === true }));

program
  .command('plan')
  .description('print what follows from the facts of each connector; asks no source')
  .option('--tenant <id>', 'of this tenant only')
  .option('--demo', "of the demo's collections")
  .option('--json', 'for programs')
  .action(async ({ tenant, demo: isDemo, json }: { tenant?: string; demo?: boolean; json?: boolean }) =>
    (await plan())(environment(), { tenant, demo: isDemo === true, json: json === true }),
  );

program
  .command('doctor [connector]')
  .description('try the configuration, the store, and what each connector declares of its source; writes nothing')
  .option('--tenant <id>', 'of this tenant only')
  .option('--json', 'for programs')
  .option('--write <collection/key>', "send this record's own values back with a version that is not current")
  .action(async (connector: string | undefined, options: { tenant?: string; json?: boolean; write?: string }) => {
    const { tenant, write, json } = options;
    await (
      await doctor()
    )(environment(), { connector, tenant, json: json === true, write });
  });

addInspect(program);
addCollections(program, environment());
addOutbox(program, environment());
addDevices(program, environment());
addErase(program, environment());
addAudit(program, environment());
addEpoch(program, environment());
addKeys(program, environment());

try {
  await program.parseAsync();
} catch (thrown) {
  process.exitCode = report(thrown);
}

/** One sentence per fault; the stack only for faults that nobody foresaw. */
function report(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : EXIT_CODES.config;
  if (thrown instanceof StartupError) {
    console.error(`tidegate: ${thrown.message}`);
    return thrown.exitCode;
  }
  console.error('tidegate: unexpected fault, please report it:', thrown);
  return EXIT_CODES.fault;
}
