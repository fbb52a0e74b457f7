import { CallFault } from './fault.js';
import type { Paging } from './paging.js';
import type { WsdlOperation } from './soap-contract.js';
import { elementsAt, misfitOfPath, pathSteps } from './soap-shape.js';
import type { SoapOperation } from './soap.js';
import type { Sought, WriteCall } from './transport.js';

/** The elements of a request, by name; a member may hold elements again. */
export type RequestElements = Readonly<Record<string, unknown>>;

/**
 * Every path that an operation declares is one that the WSDL has. A misspelt path to the rows would otherwise look like a
 * list without rows, which says that all records were deleted (R14).
 *
 * @throws CallFault notSent - naming operation, key, what was expected and what came
 */
export function checkOperation(facts: SoapOperation, { input, output }: WsdlOperation): void {
  const inputs: readonly (readonly [string, string | null])[] = [
    ...Object.keys(facts.args).map((path) => ['args', path] as const),
    ...facts.keyIn.map((path) => ['keyIn', path] as const),
    ['versionIn', facts.versionIn],
    ['referenceIn', facts.referenceIn],
    ...Object.values(facts.fieldsIn).map((path) => ['fieldsIn', path] as const),
    ...Object.values(facts.keptIn).map((path) => ['keptIn', path] as const),
    ['ticketIn', facts.ticketIn],
    ['bodyIn', facts.bodyIn === '' ? null : facts.bodyIn],
    ...argumentsOf(facts.paging).map((path) => ['paging', path] as const),
  ];
  const outputs = [
    ['rows', facts.rows],
    ['total', facts.total],
    ['more', facts.more],
    ['paging', facts.paging.kind === 'token' ? (facts.paging.from ?? null) : null],
    ['deltaToken', facts.deltaIn],
    ['async.ticket', facts.async?.ticket ?? null],
    ['async.pending.at', facts.stateAt],
    ['async.pending.message', facts.messageAt],
  ] as const;
  const isBareText = input?.content().kind === 'text';
  for (const [key, path] of inputs) {
    if (path === null) continue;
    const misfit = isBareText
      ? path === input.name
        ? null
        : `expected ${input.name}, got ${path}`
      : input === null
        ? `expected no arguments, got ${path}`
        : misfitOfPath(input, path);
    if (misfit !== null) throw unfit(facts, key, misfit);
  }
  for (const [key, path] of outputs) {
    if (path === null || path === '') continue;
    const misfit = output === null ? `expected an answer without elements, got ${path}` : misfitOfPath(output, path);
    if (misfit !== null) throw unfit(facts, key, misfit);
  }
}

/** A read's request: the fixed arguments, those of the page and of the filter, and the key. */
export function readRequest(
  facts: SoapOperation,
  args: Readonly<Record<string, string | number>>,
  key: readonly string[] | null,
): RequestElements {
  return withArguments({}, [...Object.entries({ ...facts.args, ...args }), ...keyArguments(facts, key)]);
}

/**
 * A write's request: the body at its place, then the fixed arguments, the key and the version. A whole record as the
 * source showed it has more than the source takes back (key, version, time of change): of that, only what it takes is sent.
 */
export function writeRequest(facts: SoapOperation, operation: WsdlOperation, call: WriteCall): RequestElements {
  const request: Record<string, unknown> = {};
  const { body: given } = call;
  if (call.purpose !== 'delete' && given !== null) {
    const isWhole = call.purpose === 'update' && facts.sends !== 'changed';
    const taken =
      isWhole && operation.input !== null && misfitOfPath(operation.input, facts.bodyIn) === null
        ? elementsAt(operation.input, facts.bodyIn)
        : null;
    const body =
      taken === null
        ? given
        : Object.fromEntries(taken.flatMap(({ name }) => (name in given ? [[name, given[name]]] : [])));
    setAt(request, pathSteps(facts.bodyIn), body);
  }
  return withArguments(request, [
    ...Object.entries(facts.args),
    // A call in a row may need no key: what was begun has one of its own.
    ...(call.kept !== undefined && facts.keyIn.length === 0 ? [] : keyArguments(facts, call.key)),
    ...Object.entries(facts.keptIn).map(([name, path]): Argument => [path, call.kept?.[name]]),
    ...versionArgument(facts, call),
    ...idempotencyArgument(call),
  ]);
}

/** What a look-up is asked with. */
export function soughtArguments(facts: SoapOperation, sought: Sought): Readonly<Record<string, string>> {
  if ('reference' in sought) return facts.referenceIn === null ? {} : { [facts.referenceIn]: sought.reference };
  return Object.fromEntries(sought.alike.map(({ field, value }) => [facts.fieldsIn[field] ?? '', value]));
}

type Argument = readonly [path: string, value: unknown];

function keyArguments(facts: SoapOperation, key: readonly string[] | null): readonly Argument[] {
  if (key === null) return [];
  // A create whose key the source gives, or one that is told in the body only.
  if (facts.keyIn.length !== key.length) {
    throw unfit(
      facts,
      'keyIn',
      `expected one argument for each of the ${key.length} parts of a key, got ${facts.keyIn.length}`,
    );
  }
  return facts.keyIn.map((path, index) => [path, key[index]] as const);
}

function versionArgument(facts: SoapOperation, { guard }: WriteCall): readonly Argument[] {
  return facts.versionIn === null || guard === null ? [] : [[facts.versionIn, guard]];
}

function idempotencyArgument({ idempotency }: WriteCall): readonly Argument[] {
  return idempotency?.argument === undefined ? [] : [[idempotency.argument, idempotency.key]];
}

function withArguments(request: Record<string, unknown>, args: readonly Argument[]): RequestElements {
  for (const [path, value] of args) setAt(request, pathSteps(path), value);
  return request;
}

/** Sets a member, or with no steps all of them. */
function setAt(target: Record<string, unknown>, steps: readonly string[], value: unknown): void {
  const [step, ...rest] = steps;
  if (step === undefined) Object.assign(target, value);
  else if (rest.length === 0) target[step] = value;
  else {
    const inner: Record<string, unknown> = { ...(target[step] as object | undefined) };
    target[step] = inner;
    setAt(inner, rest, value);
  }
}

function argumentsOf(paging: Paging): readonly string[] {
  const size = 'sizeIn' in paging && paging.sizeIn !== undefined ? [paging.sizeIn] : [];
  switch (paging.kind) {
    case 'page':
      return [paging.numberIn, ...size];
    case 'offset':
      return [paging.fromIn, ...size];
    case 'keyset':
      return [paging.afterIn, ...size];
    case 'token':
      return [paging.in, ...size];
    case 'whole':
    case 'link':
    case 'nextUrl':
      return [];
  }
}

function unfit(facts: SoapOperation, key: string, misfit: string): CallFault {
  return new CallFault('notSent', `${facts.operation}: ${key}: ${misfit}`, { sourceIsSick: false });
}
