import type { AnyCollectionDefinition } from './define.js';

/** What cannot be had without the values of a record, each as ".key: expected …, got …" (F29). */
export function misfitsOfStorage(one: AnyCollectionDefinition): readonly string[] {
  if (one.storage !== 'metadataOnly') return [];
  const { read, write, fields, visibility, deletedRecord } = one;
  const misfits: string[] = [];
  const since = 'under storage "metadataOnly"';
  if (read.one === undefined) misfits.push(`.read.one: expected it, since bodies are read live ${since}, got nothing`);
  if (visibility === 'pending')
    misfits.push(
      `.visibility: expected "confirmed" or nothing, since nothing can be laid over a body ${since}, got "pending"`,
    );
  if (deletedRecord === 'editWins')
    misfits.push(
      `.deletedRecord: expected "deleteWins" or nothing, since no last state is known ${since}, got "editWins"`,
    );
  if (one.rules !== undefined)
    misfits.push(`.rules: expected nothing, since they go by values, which are not kept ${since}, got some`);
  if (typeof one.scopes === 'object')
    misfits.push(
      `.scopes: expected a function, since it has no references to go via ${since}, got via("${one.scopes.field}")`,
    );
  for (const [name, { type }] of Object.entries(fields)) {
    if (type === 'reference')
      misfits.push(
        `.fields.${name}: expected no reference, since it is mapped between ids and keys by its value, which is not kept ${since}`,
      );
  }
  const update = write?.update;
  if (update !== undefined && update.sends === 'mapped')
    misfits.push(
      `.write.update: expected one that sends what changed, since no whole record is known ${since}, got one that sends what is mapped`,
    );
  if (write?.naturalKey !== undefined)
    misfits.push(
      `.write.naturalKey: expected nothing, since what it finds is compared by its values, which are not kept ${since}, got one`,
    );
  return misfits;
}
