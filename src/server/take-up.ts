import { StartupError } from '../core/errors.js';
import type { IngestStore } from '../core/ingest-port.js';
import type { Log } from '../core/ports.js';
import type { SourceCollection } from '../core/source-port.js';
import { reportReading } from '../ingest/reading-change.js';

/**
 * Looks at what changed in the connectors since the last start, before anything is read: says what devices will see of it, and
 * refuses other keys, under which every record would be another one (F20).
 *
 * @param acceptNewKeys collections whose keys may be others: what is known under the old ones is held like a mass deletion
 * @throws StartupError config - keys of a collection are read in another way and that is not accepted, or it names no collection
 */
export async function takeUpCollections(
  store: Pick<IngestStore, 'readCollection'>,
  tenant: string,
  sources: readonly SourceCollection[],
  acceptNewKeys: readonly string[],
  log: Log,
): Promise<void> {
  const names = sources.map(({ collection }) => collection.name);
  const problems = acceptNewKeys
    .filter((name) => !names.includes(name))
    .map((name) => `acceptNewKeys: expected some of ${names.join(', ')}, got ${JSON.stringify(name)}`);
  for (const source of sources) {
    const report = await reportReading(store, tenant, source);
    if (report === null) continue;
    const { name, source: connector } = source.collection;
    if (report.isRekeyed && !acceptNewKeys.includes(name)) {
      problems.push(
        `connector ${connector}: ${name}: expected key and keyForm as at the last start, got others: records may get other ids, and devices would ` +
          `get each once more. Take the change back; or, if the keys come out the same or new ids are meant, set acceptNewKeys: ['${name}']`,
      );
      continue;
    }
    for (const { field, says } of report.fields) log.warn('a field changed', { collection: name, field, says });
    const isRead = report.isAnew
      ? 'it is read again as a whole; records that come out as they were stay as they are'
      : 'it was read again';
    const isHeld = report.isOtherSet ? '; what is missing now is held for an operator' : '';
    log.warn('a collection is read in another way than at the last start', {
      collection: name,
      says: `${isRead}${isHeld}`,
    });
  }
  if (problems.length > 0) throw new StartupError('config', problems.join('\n'));
}
