import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Replaces a JSON file, like `writeStoredText`. */
export function writeStoredFile(path: string, content: unknown): void {
  writeStoredText(path, JSON.stringify(content));
}

/**
 * Replaces a JSON file so that a kill or a power cut at any moment leaves the old or the new content, never half of one:
 * write beside it, fsync, rename, fsync the folder. Safe to repeat. Synchronous, so that no reader of the caller's memory
 * sees a state that is not on disk yet.
 */
export function writeStoredText(path: string, json: string): void {
  const besides = `${path}.new`;
  const file = openSync(besides, 'w', 0o600);
  try {
    const bytes = Buffer.from(`${json}\n`, 'utf8');
    for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(besides, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** The content of a JSON file; `first` makes what is stored when there is none yet. */
export async function readStoredFile<T>(path: string, first: () => T | Promise<T>): Promise<T> {
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as T;
  const content = await first();
  mkdirSync(dirname(path), { recursive: true });
  writeStoredFile(path, content);
  return content;
}
