/** An element's content: its text, its elements by local name (repeated ones as a list), or null for xsi:nil. */
export type XmlValue = string | null | readonly XmlValue[] | { readonly [name: string]: XmlValue };

/** Elements by name, without a prototype: one may be called `constructor` or `__proto__`. */
export function emptyMembers(): Record<string, XmlValue> {
  return Object.create(null) as Record<string, XmlValue>;
}

/** The elements in an element; none in a text or a list. */
export function membersOf(value: XmlValue | undefined): Readonly<Record<string, XmlValue | undefined>> {
  const isMembers = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isMembers ? (value as Readonly<Record<string, XmlValue | undefined>>) : {};
}

/** What is at a path; undefined: nothing. */
export function valueAt(value: XmlValue, steps: readonly string[]): XmlValue | undefined {
  return steps.reduce<XmlValue | undefined>((at, step) => membersOf(at)[step], value);
}
