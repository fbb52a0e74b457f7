import type { FieldError } from '../core/errors.js';
import type { SourceWriteOutcome } from '../core/source-port.js';
import { shownText } from './fault.js';

/** Where a source says what is wrong with single fields, if it is none of the common forms. Members are joined by dots. */
export interface ErrorFacts {
  /** Where its answer has them: a list, or an object of texts by the names of fields. '' is the answer itself. */
  readonly at: string;
  /** Of an entry of the list: the member that names the field. */
  readonly field?: string;
  /** Of an entry of the list: the member that says what is wrong. */
  readonly message?: string;
  /** The source's names of fields that say nothing of ours, and ours. */
  readonly names?: Readonly<Record<string, string>>;
}

/** What the source says of one field, in its own name; null: it names none. */
interface SaidOfField {
  readonly name: string | null;
  readonly text: string;
}

/** What is handed on to a device at most: entries, and characters of each. */
const MOST_ERRORS = 32;
const MOST_CHARACTERS = 300;
/** How deep an answer is searched, and how many of its values are looked at. */
const MAX_DEPTH = 6;
const MOST_VALUES = 2_000;

/** Members that name a field, in the order in which they are believed. */
const NAMES = ['field', 'fieldName', 'property', 'propertyName', 'propertyPath', 'path', 'pointer', 'target'] as const;
const MORE_NAMES = ['param', 'parameter', 'element', 'attribute', 'name', 'key'] as const;
/** Members that name it by a list: of the steps to it, or of the fields concerned. */
const LISTED = ['loc', 'fields', 'memberNames', 'expression'] as const;
const TEXTS = ['message', 'detail', 'description', 'reason', 'defaultMessage', 'errorMessage', 'msg', 'text'] as const;
const MORE_TEXTS = ['diagnostics', 'title', 'error'] as const;
/** Members below which something is said of fields, not shown of a record; and those that hold texts by the names of fields. */
const SAYS_OF_FIELDS = /err|invalid|detail|violation|param|fault|validation|message|issue|problem|fail/i;
const MAPS = /^(field_?|validation_?)?errors$|^modelstate$|^invalid_?fields$/i;

type Members = Readonly<Record<string, unknown>>;

/**
 * A source's no as it is handed on: in our names, in plain text, and no more than a screen can show. `field` is the first one of ours
 * that it names. Pure.
 *
 * @param body the answer, as parsed
 */
export function tellRefusal(
  {
    message,
    field,
    fields,
  }: { readonly message: string; readonly field: string | null; readonly fields?: readonly FieldError[] },
  body: unknown,
  facts: ErrorFacts | undefined,
  ourName: (sourceField: string) => string | null,
): SourceWriteOutcome & { readonly kind: 'refused' } {
  const said = fields?.map(({ field: name, message: text }) => ({ name, text })) ?? saidOf(body, facts);
  const told = said.slice(0, MOST_ERRORS).map((one) => tellOne(one, facts?.names ?? {}, ourName));
  const first = told.find((one) => one.field !== null)?.field ?? null;
  return {
    kind: 'refused',
    message: plainText(message),
    // Not by its steps: a source that names the path of the request names no field.
    field: (field === null ? null : known(field, facts?.names ?? {}, ourName)) ?? first,
    ...(told.length === 0 ? {} : { fields: told }),
  };
}

/** The first thing that an answer says of a field, for sources that say nothing else; null: nothing. */
export function firstFieldText(body: unknown): string | null {
  return saidOf(body, undefined)[0]?.text ?? null;
}

function tellOne(
  { name, text }: SaidOfField,
  names: Readonly<Record<string, string>>,
  ourName: (sourceField: string) => string | null,
): FieldError {
  const field = name === null ? null : ownName(name, names, ourName);
  // Its own name is all that says what the text is about.
  const told = field === null && name !== null && name !== '' ? `${name}: ${text}` : text;
  return { field, message: shortened(plainText(told)) };
}

/** Our name of a field that a source names by itself, by a path (`visit.note`), or by a pointer (`#/data/note`). */
function ownName(
  name: string,
  names: Readonly<Record<string, string>>,
  ourName: (sourceField: string) => string | null,
): string | null {
  const steps = name.slice(0, MOST_CHARACTERS).split(/[/.[\]#$]+/);
  for (const one of [name, ...steps]) {
    const own = known(one, names, ourName);
    if (own !== null) return own;
  }
  return null;
}

function known(
  name: string,
  names: Readonly<Record<string, string>>,
  ourName: (sourceField: string) => string | null,
): string | null {
  const byName = (one: string): string | null => (Object.hasOwn(names, one) ? (names[one] ?? null) : ourName(one));
  return byName(name) ?? byName(otherCase(name));
}

/** Some name a member `note` by the property `Note` that it is made of, or the other way round. */
function otherCase(name: string): string {
  const first = name.charAt(0);
  return `${first === first.toLowerCase() ? first.toUpperCase() : first.toLowerCase()}${name.slice(1)}`;
}

function saidOf(body: unknown, facts: ErrorFacts | undefined): readonly SaidOfField[] {
  if (facts === undefined) return inCommonForms(body);
  const found = stepsTo(body, facts.at);
  const { field, message } = facts;
  if (field === undefined || message === undefined) return inMap(found);
  // XML does not tell a list of one from a single element.
  return (Array.isArray(found) ? (found as readonly unknown[]) : [found]).slice(0, MOST_ERRORS).flatMap((entry) => {
    const text = textOf(stepsTo(entry, message));
    return text === null ? [] : [{ name: textOf(stepsTo(entry, field)), text }];
  });
}

/**
 * RFC 9457 (`errors: [{ detail, pointer }]`), `{ errors: { field: [text] } }`, `{ errors: [{ field, message }] }`, OData
 * (`error.details: [{ target, message }]`) and what is like them.
 */
function inCommonForms(body: unknown): readonly SaidOfField[] {
  const found: SaidOfField[] = [];
  let left = MOST_VALUES;
  const look = (value: unknown, depth: number, saysOfFields: boolean): void => {
    if (found.length >= MOST_ERRORS || depth > MAX_DEPTH || --left < 0) return;
    if (Array.isArray(value)) {
      // A list at the top can only be one of what is wrong.
      for (const entry of value.slice(0, MOST_ERRORS)) look(entry, depth + 1, saysOfFields || depth === 0);
      return;
    }
    if (!isObject(value)) return;
    const own = saysOfFields ? inEntry(value) : null;
    if (own !== null) found.push(own);
    for (const [name, member] of Object.entries(value).slice(0, MOST_VALUES)) {
      const mapped = MAPS.test(name) ? inMap(member) : [];
      if (mapped.length > 0) found.push(...mapped);
      else look(member, depth + 1, saysOfFields || SAYS_OF_FIELDS.test(name));
    }
  };
  look(body, 0, false);
  return found.slice(0, MOST_ERRORS);
}

/** An object that names a field and says something of it. */
function inEntry(members: Members): SaidOfField | null {
  const { source } = members;
  const name =
    firstText(members, NAMES) ??
    (isObject(source) ? firstText(source, NAMES) : null) ??
    firstList(members) ??
    firstText(members, MORE_NAMES);
  const text = firstText(members, TEXTS) ?? firstText(members, MORE_TEXTS);
  return name === null || text === null ? null : { name, text };
}

function firstList(members: Members): string | null {
  for (const name of LISTED) {
    const value = members[name];
    const steps = Array.isArray(value) ? value.slice(0, MAX_DEPTH).filter((step) => typeof step === 'string') : [];
    if (steps.length > 0) return steps.join('.');
  }
  return null;
}

/** Texts, or lists of texts, by the names of fields; none where it is something else. */
function inMap(value: unknown): readonly SaidOfField[] {
  if (!isObject(value) || inEntry(value) !== null || typeof value['code'] === 'string') return [];
  const entries = Object.entries(value).slice(0, MOST_ERRORS);
  const all = entries.map(([name, said]) => ({ name, said: textsOf(said) }));
  return all.some(({ said }) => said.length === 0)
    ? []
    : all.flatMap(({ name, said }) => said.map((text) => ({ name, text })));
}

/** None where one of them is no text, or names a field of its own. */
function textsOf(value: unknown): readonly string[] {
  const all = Array.isArray(value) ? (value as readonly unknown[]).slice(0, MOST_ERRORS) : [value];
  const texts = all.map(
    (one) => textOf(one) ?? (isObject(one) && inEntry(one) === null ? firstText(one, TEXTS) : null),
  );
  return texts.includes(null) ? [] : (texts as readonly string[]);
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function firstText(members: Members, names: readonly string[]): string | null {
  for (const name of names) {
    const text = textOf(members[name] ?? members[`${name.charAt(0).toUpperCase()}${name.slice(1)}`]);
    if (text !== null) return text;
  }
  return null;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value : null;
}

function stepsTo(value: unknown, path: string): unknown {
  if (path === '') return value;
  return path.split('.').reduce<unknown>((inner, step) => (isObject(inner) ? inner[step] : undefined), value);
}

/** Without the tags of a page: what is left may be shown anywhere. A blank for each, so that no tag comes of what is around it. */
function plainText(text: string): string {
  return shownText(
    text
      .slice(0, 10_000)
      .replace(/<\/?[a-z!][^>]*(>|$)/gi, ' ')
      .replace(/\s{2,}/g, ' '),
  );
}

function shortened(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…`.toWellFormed() : text;
}
