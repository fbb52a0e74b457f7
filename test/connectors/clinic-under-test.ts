import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clinic } from '../../connectors/clinic.js';
import { createSource, type Source } from '../../src/connectors/source.js';
import type { SourceKey } from '../../src/core/change.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import type { SourceUnderTest } from '../contract/connector/source-under-test.js';
import type { BuiltDemo } from '../demo/built-demo.js';
import { eagerDeps } from './soap/eager-deps.js';

/**
 * A collection of the demo's REST system, in a process of its own.
 *
 * @param takesKeys does it take the caller's keys?
 * @param stored its records instead of the demo's own
 */
export async function openClinic(
  demo: BuiltDemo,
  name: string,
  takesKeys: boolean,
  samples: SourceUnderTest['samples'],
  stored?: readonly object[],
): Promise<SourceUnderTest> {
  const folder = demo.newFolder();
  if (stored !== undefined) writeFileSync(join(folder, `${name}.json`), JSON.stringify(stored));
  const program = demo.start('rest-source', ['--folder', folder, '--today', '2026-11-24']);
  const [, url = ''] = await program.line(/(http:\S+)/);
  const opened: Source[] = [];

  function view(facts: object): SourceCollection {
    const source = createSource({ ...clinic({ baseUrl: url }), ...facts }, eagerDeps());
    opened.push(source);
    const collection = source.collections.find((one) => one.collection.name === name);
    if (collection === undefined) throw new Error(`expected a collection ${name}, got none`);
    return collection;
  }

  async function send(method: string, path: string, body: object = {}): Promise<Readonly<Record<string, unknown>>> {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/${name}${path}`, { method, headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`expected the clinic to take it, got ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as Readonly<Record<string, unknown>>;
  }

  return {
    collection: view({}),
    view,
    backDoor: {
      create: async (wanted, fields) => {
        const { id } = await send('POST', '', { ...(takesKeys ? { id: wanted } : {}), ...fields });
        return String(id) as SourceKey;
      },
      edit: async (key, fields) => void (await send('PATCH', `/${key}`, fields)),
      remove: async (key) => void (await send('DELETE', `/${key}`)),
    },
    samples,
    stopSource: () => program.kill(),
    close: async () => {
      await Promise.all(opened.map((source) => source.close()));
      await program.kill();
    },
  };
}
