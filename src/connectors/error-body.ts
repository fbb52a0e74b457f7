/** Members in which sources tell of a failure although their status says success. */
const FAILURES = ['error', 'errors', 'fault', 'exception'] as const;
/** Members that say whether it went well. */
const VERDICTS = ['success', 'ok'] as const;

/**
 * Does an answer with the status of a success tell of a failure? Only forms that are common among sources; a connector's
 * `classify` knows its own.
 *
 * @param isField is a member one of the record's own?
 */
export function isErrorBody(body: unknown, isField: (member: string) => boolean): boolean {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return false;
  const members = body as Readonly<Record<string, unknown>>;
  return (
    FAILURES.some((member) => !isField(member) && isSaid(members[member])) ||
    VERDICTS.some((member) => !isField(member) && (members[member] === false || members[member] === 'false'))
  );
}

/** Some tell "no error" by an empty list, or by the word. */
function isSaid(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0) return false;
  if (typeof value === 'string') return !['', 'false', '0', 'none'].includes(value.trim().toLowerCase());
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
