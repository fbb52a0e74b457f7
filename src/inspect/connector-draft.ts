import type { DescribedSystem } from './described-system.js';
import type { DraftContext } from './draft-calls.js';
import { draftedCollectionText } from './draft-collection-text.js';
import type { Drafted } from './drafted-collection.js';
import type { GivenNames } from './given-names.js';
import { commentText, literal, NameKeeper, typeName, valueName } from './safe-names.js';

/** More of them would hide the rest. */
const MOST_LEFT_OUT = 30;
/** Endings of types that say nothing of the record. */
const TYPE_ENDING = /(..[a-z0-9])_?(?:Type|Dto|DTO|Model|Entity|Row|Record|Resource|Object)$/;

/**
 * `connector.ts`: a draft that compiles. What is a guess is marked so, and what nobody can know from a description is a TODO beside a
 * default that does no harm.
 *
 * @param name the source's name
 */
export function renderDraft(system: DescribedSystem, drafted: Drafted, names: GivenNames, name: string): string {
  const { operations, kit } = system;
  const context: DraftContext = {
    operations,
    names,
    used: new Set(),
    builders: new Set(),
    kitBuilders: new Set([kit]),
    settings: new Map(),
    settingNames: new NameKeeper(ADDRESSES[kit]),
  };
  const types = new NameKeeper();
  const own = new NameKeeper(['settings', ...BUILDERS, ...importable(system, names)]);
  const connectorName = own.take(valueName(name));
  const collections = drafted.collections.map((one) => {
    const type = types.take(typeName(one.row.name.replace(TYPE_ENDING, '$1')));
    return draftedCollectionText(one, type, own.take(`${valueName(one.name)}Fields`), context);
  });
  const settings = [...ADDRESSES[kit], ...context.settings.values()].map((setting) => `readonly ${setting}: string`);
  const body =
    collections.length === 0
      ? `      // TODO: nothing in the description lists records; say how they are read.\n`
      : collections.map(({ text }) => text).join('');
  return `${importsOf(context, kit)}
// A draft, made once by "tidegate inspect" and yours from now on. "guess" marks what was concluded from names and types; a TODO is a fact
// that no description tells: what stands there does no harm, and may cost calls. "tidegate plan" says what follows, "tidegate doctor" tries it.
// Of the fields take away what devices need not have; one that names a record of another collection becomes field.reference('...').
${leftOutText(drafted.leftOut)}
${collections.map(({ fields }) => `${fields}\n`).join('')}/** ${commentText(system.title === '' ? name : system.title)} */
export function ${connectorName}(settings: { ${settings.join('; ')} }): ConnectorDefinition {
  return defineConnector({
    source: ${literal(name)},
    transport: ${transportText(system)},
    collections: {
${body}    },
  });
}
`;
}

/** The settings of each kit that say where the source is. */
const ADDRESSES: Readonly<Record<DescribedSystem['kit'], readonly string[]>> = {
  rest: ['baseUrl'],
  soap: ['wsdl', 'endpoint'],
  odata: ['serviceUrl'],
};

/** What a draft may import under its own name. */
const BUILDERS = [
  'ConnectorDefinition',
  'changedSince',
  'collection',
  'defineConnector',
  'deletesByScan',
  'keyset',
  'link',
  'nextUrl',
  'odata',
  'offset',
  'page',
  'rest',
  'soap',
  'token',
];

function importable({ operations }: DescribedSystem, names: GivenNames): readonly string[] {
  return [
    ...operations.map((call) => names.operationOf(call)),
    ...names.types.flatMap((type) => [names.typeOf(type), names.fieldsOf(type)]),
  ];
}

function importsOf({ builders, kitBuilders, used }: DraftContext, kit: DescribedSystem['kit']): string {
  const connector = [...[...builders, 'defineConnector'].sort(), 'type ConnectorDefinition'];
  const own = [...used].sort((a, b) => (a.replace('type ', '') < b.replace('type ', '') ? -1 : 1));
  return `import { ${connector.join(', ')} } from 'tidegate/connector';
import { ${[...kitBuilders].sort().join(', ')} } from 'tidegate/connector/${kit}';
${own.length === 0 ? '' : `import {\n${own.map((name) => `  ${name},\n`).join('')}} from './generated.js';\n`}`;
}

function transportText({ kit, address, signIn }: DescribedSystem): string {
  const where = address === null ? 'the description names no address' : `the description names ${commentText(address)}`;
  const auth = [...new Set(signIn)].map((line) => commentText(line, 60)).slice(0, 4);
  const addresses = ADDRESSES[kit].map((setting, at, all) => {
    const remark = at === all.length - 1 ? ` // ${where}` : '';
    return `      ${setting}: settings.${setting},${remark}\n`;
  });
  return `${kit}({
${addresses.join('')}      // TODO auth: how does the system know us? ${auth.length === 0 ? 'The description does not say' : `The description says: ${auth.join('; ')}`}.
      // TODO limit: how many calls does it bear, at once and per second? Like limit: { perSecond: 5, concurrent: 2 }
    })`;
}

function leftOutText(leftOut: readonly string[]): string {
  if (leftOut.length === 0) return '';
  const more = leftOut.length > MOST_LEFT_OUT ? [`and ${leftOut.length - MOST_LEFT_OUT} more`] : [];
  return `//\n// Not drafted:\n${[...leftOut.slice(0, MOST_LEFT_OUT), ...more].map((line) => `// - ${commentText(line)}\n`).join('')}`;
}
