/** A member of a row that marks it: its value, or anything but false, 0, '' and null. */
export interface RowFlag {
  readonly member: string;
  readonly value?: string | number | boolean;
}

/** Does a row carry the flag? What is no row does not. */
export function isFlagged(row: unknown, { member, value: flag }: RowFlag): boolean {
  if (typeof row !== 'object' || row === null) return false;
  const value = (row as Readonly<Record<string, unknown>>)[member];
  if (flag !== undefined) return value === flag || (typeof value === 'string' && value === String(flag));
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== '' && value !== 'false';
}
