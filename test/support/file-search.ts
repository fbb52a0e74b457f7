import { readdirSync, readFileSync, type Dirent } from 'node:fs';
import path from 'node:path';

/** Names of the files anywhere in a folder that hold one of these texts, as bytes of UTF-8. */
export function filesWith(folder: string, texts: readonly string[]): readonly string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  const sought = texts.map((text) => Buffer.from(text));
  return files
    .filter((one) => {
      const bytes = bytesOf(one);
      return sought.some((text) => bytes.includes(text));
    })
    .map((one) => path.relative(folder, path.join(one.parentPath, one.name)));
}

function bytesOf(one: Dirent): Buffer {
  try {
    return readFileSync(path.join(one.parentPath, one.name));
  } catch {
    // Gone since it was listed.
    return Buffer.alloc(0);
  }
}
