import { z } from 'zod';

/** A text that is not empty. */
export const words = z.string('expected a text').min(1, 'expected a text');

/** An address to sign in at. */
export function address(example: string): z.ZodType<string> {
  return z
    .string(`expected an address like ${example}`)
    .refine(isAddress, `expected an address like ${example} without user and fragment`);
}

function isAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '' && hash === '';
}

/**
 * What is wrong with options that hold secrets, each as ".key: expected …, got …". No text among them is shown: an
 * environment that is mixed up has the secret where the address should be.
 */
export function misfitsOf(schema: z.ZodType, options: unknown): readonly string[] {
  const checked = schema.safeParse(options);
  if (checked.success) return [];
  return checked.error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => `.${[...path, key].join('.')}: expected no such key`);
    }
    const got = path.reduce<unknown>(
      (value, key) =>
        typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined,
      options,
    );
    const expected = issue.message.replace(/^Invalid (input|option): /, '').replace(/, received .*$/, '');
    return [`${path.map((key) => `.${key}`).join('')}: ${expected}, got ${kindOf(got)}`];
  });
}

/** What a value is, without its text. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (value === '') return '""';
  if (typeof value === 'string') return 'another text';
  return Array.isArray(value)
    ? `a list of ${value.length}`
    : typeof value === 'object'
      ? 'an object'
      : `a ${typeof value}`;
}
