import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';

/** A journal that outlives its process: one JSON line per entry, on the disk before `append` returns. */
export interface JournalFile<Entry> {
  append(entry: Entry): void;
  close(): void;
}

/** Opens a journal for appending; made if it is not there yet. */
export function openJournal<Entry>(file: string): JournalFile<Entry> {
  const handle = openSync(file, 'a');
  return {
    append(entry) {
      writeSync(handle, `${JSON.stringify(entry)}\n`);
      fsyncSync(handle);
    },
    close: () => closeSync(handle),
  };
}

/** Everything in a journal, oldest first; a last line that was not finished has not happened. */
export function readJournal<Entry>(file: string): readonly Entry[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Entry);
}
