/** Is it a whole number of which JSON may have rounded the last digits, so that it is not the one that its source has? */
export function isRounded(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

/** Where such a number is in a row of a source, like `meta.serial`; null: nowhere. */
export function roundedIn(row: unknown): string | null {
  const left: (readonly [path: string, value: unknown])[] = [['', row]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [path, value] = next;
    if (typeof value === 'number' && isRounded(value)) return path;
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, one] of Object.entries(value)) left.push([path === '' ? name : `${path}.${name}`, one]);
  }
  return null;
}
