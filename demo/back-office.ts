/**
 * The clinic's back office, a process of its own: keeps editing both systems, so that one sees changes come.
 *
 *     node dist/demo/back-office.js --rest http://127.0.0.1:5001 --wsdl 'http://127.0.0.1:5002/supplies?wsdl' [--every 5000]
 */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Dispatcher } from './dispatcher.js';

const { values } = parseArgs({
  options: { rest: { type: 'string' }, wsdl: { type: 'string' }, every: { type: 'string', default: '5000' } },
});
const everyMs = Number(values.every);
if (values.rest === undefined || values.wsdl === undefined || !(everyMs >= 10)) {
  console.error('back-office: expected --rest URL --wsdl URL [--every MILLISECONDS of at least 10]');
  process.exit(1);
}

process.on('SIGTERM', () => process.exit(0));
// Ctrl-C in a terminal reaches the children too; the parent ends them when it no longer needs them.
process.on('SIGINT', () => (process.connected ? undefined : process.exit(0)));
process.on('disconnect', () => process.exit(0));

const dispatcher = new Dispatcher({ restUrl: values.rest, wsdlUrl: values.wsdl, chance: Math.random, nowMs: Date.now });
for (;;) {
  // People do not work in step: between half and one and a half of the interval.
  await wait(everyMs * (0.5 + Math.random()));
  try {
    console.log(`back-office: ${await dispatcher.edit()}`);
  } catch (error) {
    // A source that is down or was faster than we: the next edit is another one.
    console.error(`back-office: ${error instanceof Error ? error.message : String(error)}`);
  }
}
