import { DEPOT_OPENAPI } from './descriptions.js';
import { openWorkshop, type Workshop } from './written-connector.js';
import { runProgram } from '../support/program.js';

let workshop: Workshop;
beforeEach(() => {
  workshop = openWorkshop();
});
afterEach(() => workshop.remove());

/** Another state of the same system. */
const CHANGED = DEPOT_OPENAPI.replace('weight: { type: number }', 'weight: { type: string }')
  .replace('customer: { type: string, maxLength: 200 }', 'buyer: { type: string }')
  .replace('operationId: listLines', 'operationId: listOrderLines')
  .replace('{ name: offset, in: query', '{ name: skip, in: query');

describe('a second run', () => {
  test('of the same description finds nothing and writes nothing, also after a formatter was at the file', async () => {
    const source = workshop.write('depot.yaml', DEPOT_OPENAPI);
    expect(await workshop.inspect(source)).toMatchObject({
      isFirst: true,
      wrote: ['generated.ts', 'golden/', 'connector.ts'],
    });
    expect(await workshop.inspect(source)).toMatchObject({ isFirst: false, changes: [], wrote: [] });
    workshop.replace('depotOrders', 'generated.ts', (text) =>
      text
        .replaceAll(/'([^'"\n]*)'/g, '"$1"')
        .replaceAll(' | ', '\n    | ')
        .replace('readonly state?: "', 'readonly state?:\n    | "')
        .replaceAll('{ required: true, maxLength: 200 }', '{\n    required: true,\n    maxLength: 200,\n  }'),
    );
    expect(await workshop.inspect(source)).toMatchObject({ changes: [], wrote: [] });
  });

  test('says what was added, removed and retyped, and writes it only when told', async () => {
    await workshop.inspect(workshop.write('depot.yaml', DEPOT_OPENAPI));
    const before = workshop.read('depotOrders', 'generated.ts');
    workshop.replace('depotOrders', 'connector.ts', () => '// ours now\n');
    const source = workshop.write('depot.yaml', CHANGED);
    const found = await workshop.inspect(source);
    expect(found.changes.map(({ kind, what, before: old, after }) => [kind, what, old, after])).toEqual([
      ['removed', 'Order.customer', 'string', null],
      ['changed', 'Order.weight', 'optional number', 'optional string'],
      ['changed', 'orderFields.weight', 'field.float()', 'field.string()'],
      ['removed', 'ListOrdersQuery.offset', 'optional number', null],
      ['removed', 'listLines', expect.any(String), null],
      ['added', 'Order.buyer', null, 'optional string'],
      ['added', 'ListOrdersQuery.skip', null, 'optional number'],
      ['added', 'listOrderLines', null, expect.any(String)],
    ]);
    expect(found.golden.added).toEqual(['listOrderLines.json']);
    expect(found.golden.removed).toEqual(['listLines.json']);
    expect(found.golden.changed).toContain('listOrders.json');
    expect(found.wrote).toEqual([]);
    expect(workshop.read('depotOrders', 'generated.ts')).toBe(before);

    expect((await workshop.inspect(source, { write: true })).wrote).toEqual(['generated.ts', 'golden/']);
    expect(workshop.read('depotOrders', 'generated.ts')).toContain('readonly buyer?: string;');
    expect(workshop.golden('depotOrders')).not.toContain('listLines.json');
    expect(workshop.read('depotOrders', 'connector.ts')).toBe('// ours now\n');
    expect(await workshop.inspect(source)).toMatchObject({ changes: [], wrote: [] });
  });

  test("keeps files of golden/ that are somebody else's, and makes connector.ts again when it is gone", async () => {
    const source = workshop.write('depot.yaml', DEPOT_OPENAPI);
    await workshop.inspect(source);
    workshop.write('connectors/depotOrders/golden/recorded.json', '{}');
    workshop.drop('depotOrders', 'connector.ts');
    const found = await workshop.inspect(workshop.write('depot.yaml', CHANGED), { write: true });
    expect(found.wrote).toEqual(['generated.ts', 'golden/', 'connector.ts']);
    expect(workshop.golden('depotOrders')).toContain('recorded.json');
  });

  test('tells scripts by its exit code whether something changed', async () => {
    const source = workshop.write('depot.yaml', DEPOT_OPENAPI);
    const run = async (...more: readonly string[]): Promise<readonly [number | null, string]> => {
      const program = runProgram(['inspect', source, '--name', 'depot', '--out', 'made', ...more], {}, workshop.folder);
      return [await program.ended, program.output()];
    };
    expect(await run('--header', 'X-Secret: hush')).toEqual([0, expect.stringContaining('a draft with 3 collections')]);
    expect(await run()).toEqual([0, expect.stringContaining('nothing changed')]);
    workshop.write('depot.yaml', CHANGED);
    const [code, output] = await run();
    expect(code).toBe(9);
    expect(output).toContain('  - Order.customer\n  ~ Order.weight: optional number -> optional string\n');
    expect(output).toContain('Nothing of it was written: --write takes it over.');
    expect(await run('--write')).toEqual([0, expect.stringContaining('wrote made/depot/generated.ts')]);
    expect(await run()).toEqual([0, expect.stringContaining('nothing changed')]);
    const [bad, said] = await run('--header', 'hush');
    expect([bad, said]).toEqual([2, expect.stringContaining('--header: expected "Name: value"')]);
    expect(said).not.toContain('hush');
  });
});
