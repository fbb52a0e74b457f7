import { maintenancePromises } from './connector/maintenance-promises.js';
import { outagePromises } from './connector/outage-promises.js';
import { readPromises } from './connector/read-promises.js';
import { repeatPromises } from './connector/repeat-promises.js';
import type { SourceUnderTest } from './connector/source-under-test.js';
import { writePromises } from './connector/write-promises.js';

/**
 * What every connector must do for core to keep its rules, one test each, run on a source that really answers. `open`
 * starts one with enough records for two batches; it is called twice, as the second one's process is ended. The suite
 * adds records whose keys begin with `contract-`, and edits others.
 */
export function connectorContract(name: string, open: () => Promise<SourceUnderTest>): void {
  describe(`${name} keeps a connector's promises`, () => {
    let source: SourceUnderTest | undefined;
    const opened = (): SourceUnderTest => {
      if (source === undefined) throw new Error('expected an open source, got none');
      return source;
    };
    beforeAll(async () => {
      source = await open();
    });
    afterAll(() => source?.close());

    describe('reads', () => readPromises(opened));
    describe('writes', () => writePromises(opened));
    describe('repeats', () => repeatPromises(opened));
    describe('maintenance', () => maintenancePromises(opened));
    describe('an outage', () => outagePromises(open));
  });
}
