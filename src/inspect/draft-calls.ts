import { membersOf, type DescribedOperation, type RestCall } from './described-system.js';
import { callText, fact, todo, type DraftFact } from './draft-facts.js';
import type { DraftedCall, DraftedCollection } from './drafted-collection.js';
import { listPathsOf, needsQuery, pathOf } from './generated-file.js';
import type { GivenNames } from './given-names.js';
import { literal, propertyName, valueName, type NameKeeper } from './safe-names.js';

/** What a draft needs of the file that it is in. */
export interface DraftContext {
  readonly operations: readonly DescribedOperation[];
  readonly names: GivenNames;
  /** Imported from `generated.ts`. */
  readonly used: Set<string>;
  /** Imported from `tidegate/connector`. */
  readonly builders: Set<string>;
  /** Imported from the kit. */
  readonly kitBuilders: Set<string>;
  /** Parameters of paths that the configuration gives, and what they are called there. */
  readonly settings: Map<string, string>;
  readonly settingNames: NameKeeper;
}

type Purpose = 'list' | 'one' | 'create' | 'update' | 'remove';

/** A call of a collection as code. */
export function draftedCall(
  drafted: DraftedCall,
  purpose: Purpose,
  one: DraftedCollection,
  context: DraftContext,
  indent: string,
): string {
  const { call } = drafted;
  const name = context.names.operationOf(call);
  context.used.add(name);
  const facts = [...(purpose === 'list' ? listFacts(one, context) : []), ...ownFacts(drafted, purpose, one)];
  return callText(name, call.kit === 'rest' ? fixedParameters(call, context) : [], facts, indent);
}

function fixedParameters(call: RestCall, context: DraftContext): readonly string[] {
  const { fixed } = pathOf(call, listPathsOf(context.operations));
  if (fixed.length === 0) return [];
  return [`{ ${fixed.map(({ name }) => `${propertyName(name)}: settings.${settingOf(name, context)}`).join(', ')} }`];
}

function settingOf(parameter: string, { settings, settingNames }: DraftContext): string {
  const setting = settings.get(parameter) ?? settingNames.take(valueName(parameter));
  settings.set(parameter, setting);
  return setting;
}

function ownFacts(drafted: DraftedCall, purpose: Purpose, one: DraftedCollection): readonly DraftFact[] {
  switch (drafted.call.kit) {
    case 'rest':
      return restFacts(drafted, drafted.call, purpose, one);
    case 'soap':
      return soapFacts(drafted, purpose, one);
    case 'odata':
      return [];
  }
}

function restFacts(
  { rows }: DraftedCall,
  call: RestCall,
  purpose: Purpose,
  one: DraftedCollection,
): readonly DraftFact[] {
  const facts: DraftFact[] = [];
  if (needsQuery(call))
    facts.push(fact(`query: { ${requiredQuery(call)} }`, 'TODO: the description says that it is required'));
  if (purpose === 'list' || purpose === 'remove') return facts;
  if (rows !== null && rows !== '') facts.push(fact(`rows: ${literal(rows)}`));
  if (purpose === 'one' || call.answer.shape === null || call.answer.status === 204) return facts;
  if (rows === null) {
    const hasKey = membersOf(call.answer.shape).some(({ name }) => name === one.key);
    facts.push(
      fact(`answers: ${hasKey ? "'key'" : "'nothing'"}`, 'guess: the answer that is described is not the record'),
    );
  }
  return facts;
}

function requiredQuery(call: RestCall): string {
  return call.query
    .filter(({ required }) => required)
    .map(({ name, shape }) => {
      if (shape.kind !== 'scalar') return `${propertyName(name)}: ''`;
      if (shape.wire === 'number') return `${propertyName(name)}: 0`;
      return `${propertyName(name)}: ${shape.wire === 'boolean' ? "'false'" : literal(shape.values?.[0] ?? '')}`;
    })
    .join(', ');
}

function soapFacts(drafted: DraftedCall, purpose: Purpose, one: DraftedCollection): readonly DraftFact[] {
  if (purpose === 'list') return [];
  const { keyIn, versionIn, bodyIn, rows } = drafted;
  const facts: DraftFact[] = [];
  if (keyIn !== null && keyIn !== undefined) {
    const isCreate = purpose === 'create';
    facts.push(
      fact(
        `keyIn: ${literal(keyIn)}`,
        isCreate ? "guess; TODO: does it take the device's id (a UUID)? Else leave keyIn out" : 'guess',
      ),
    );
  }
  if (one.hasGuard && versionIn !== null && versionIn !== undefined)
    facts.push(fact(`versionIn: ${literal(versionIn)}`, 'guess'));
  if (bodyIn !== null && bodyIn !== undefined && bodyIn !== '') facts.push(fact(`bodyIn: ${literal(bodyIn)}`));
  if (purpose === 'remove') facts.push(fact("answers: 'nothing'"));
  else if (rows !== null) facts.push(...(rows === '' ? [] : [fact(`rows: ${literal(rows)}`)]));
  else if (purpose !== 'one')
    facts.push(fact("answers: 'nothing'", 'guess: the answer that is described is not the record'));
  return facts;
}

function listFacts({ list, key }: DraftedCollection, context: DraftContext): readonly DraftFact[] {
  if (list.call.kit === 'odata') {
    if (list.call.set.isCountable) return [];
    return [fact('count: false', 'the description says that it does not count')];
  }
  const counts = [
    ...(list.total === null ? [] : [fact(`total: ${literal(list.total)}`, 'guess')]),
    ...(list.more === null ? [] : [fact(`more: ${literal(list.more)}`, 'guess')]),
  ];
  return [...counts, pagingFact(list, typeof key === 'string' ? key : (key[0] ?? ''), context)];
}

function pagingFact({ paging, call }: DraftedCollection['list'], key: string, context: DraftContext): DraftFact {
  if (paging === null) {
    if (call.kit === 'rest' && call.answer.headers.includes('link')) {
      context.builders.add('link');
      return fact('paging: link()', 'guess: the answer has a Link header');
    }
    return todo('paging: the description shows none. Does the list come whole, however long it is?');
  }
  const size = `${paging.sizeIn === null ? '' : `sizeIn: ${literal(paging.sizeIn)}, `}size: ${paging.size}`;
  const at = literal(paging.at);
  context.builders.add(paging.kind);
  switch (paging.kind) {
    case 'offset':
      return fact(
        `paging: offset({ fromIn: ${at}, ${size}, overlap: 0 })`,
        'guess; TODO: is its order stable? Then overlap: 5 lets absence prove a deletion',
      );
    case 'page':
      return fact(`paging: page({ numberIn: ${at}, first: 1, ${size} })`, 'guess; TODO: is the first page 1 or 0?');
    case 'keyset':
      return fact(
        `paging: keyset({ by: ${literal(key)}, afterIn: ${at}, inclusive: false, ${size} })`,
        'guess; TODO: is the list in the order of that member, and does the argument leave out the row itself?',
      );
    case 'token':
      return fact(`paging: token({ in: ${at}, from: ${literal(paging.from ?? '')}, ${size} })`, 'guess');
    case 'nextUrl':
      return fact(`paging: nextUrl({ from: ${at}, ${size} })`, 'guess');
  }
}
