import { draftedCall, type DraftContext } from './draft-calls.js';
import { fact, factLines, todo, type DraftFact } from './draft-facts.js';
import type { DraftedCollection } from './drafted-collection.js';
import type { EntitySet, Member, Shape } from './described-system.js';
import { shapeAt } from './fact-guesses.js';
import { fieldsOf } from './row-types.js';
import { literal, propertyName } from './safe-names.js';

/** A collection as code: what devices see of its records, and its facts. */
export interface CollectionText {
  readonly fields: string;
  readonly text: string;
}

const INDENT = '        ';

/**
 * @param type the name of its GraphQL type
 * @param fieldsName the identifier of its fields
 */
export function draftedCollectionText(
  one: DraftedCollection,
  type: string,
  fieldsName: string,
  context: DraftContext,
): CollectionText {
  const { names, used } = context;
  const row = names.typeOf(one.row);
  used.add(names.fieldsOf(one.row));
  used.add(`type ${row}`);
  context.builders.add('collection');
  const facts: DraftFact[] = [
    fact(`type: ${literal(type)}`),
    fact(`key: ${keyText(one.key)}`, KEY_REMARKS[one.keyIs]),
    versionFact(one),
    fact(`fields: ${fieldsName}`),
    todo('scopes: who sees which record? Without them everybody sees all.'),
    fact(`read: {\n${factLines(readFacts(one, context), `${INDENT}  `)}${INDENT}}`),
    ...writeFact(one, context),
  ];
  return {
    fields: fieldsText(one, fieldsName, context),
    text: `      ${propertyName(one.name)}: collection<typeof ${fieldsName}, ${row}>({\n${factLines(facts, INDENT)}      }),\n`,
  };
}

const KEY_REMARKS: Readonly<Record<DraftedCollection['keyIs'], string | undefined>> = {
  said: undefined,
  guess: 'guess; TODO: does a record keep its key for ever, and in one form? See keyForm and keysReused',
  any: 'TODO: nothing looks like a key. This is just some member',
};

function keyText(key: string | readonly string[]): string {
  return typeof key === 'string' ? literal(key) : `[${key.map(literal).join(', ')}]`;
}

function versionFact({ version, list }: DraftedCollection): DraftFact {
  if (version === null)
    return todo('version: does a record have one (a member that changes with each change of the record)?');
  if (version === 'etag')
    return fact(
      "version: 'etag'",
      list.call.kit === 'odata'
        ? 'the description says that writes need the ETag'
        : 'guess; TODO: does each single read answer with an ETag?',
    );
  return fact(`version: ${literal(version)}`, 'guess; TODO: does each change of a record change it?');
}

function fieldsText(one: DraftedCollection, fieldsName: string, { names }: DraftContext): string {
  const keys = typeof one.key === 'string' ? [one.key] : one.key;
  const all = fieldsOf(one.row);
  const shown = all.filter(({ member }) => !keys.includes(member.name));
  const lines = (shown.length === 0 ? all : shown).map(({ name, member }) => {
    const own = `${names.fieldsOf(one.row)}.${name}`;
    const why = readOnlyBecause(member, one);
    if (why === null) return `  ${name}: ${own},\n`;
    return factLines(
      [fact(`${name}: { ...${own}, writable: false, required: false }`, why === '' ? undefined : why)],
      '  ',
    );
  });
  return `/** What devices see of ${one.name}. */\nconst ${fieldsName} = {\n${lines.join('')}};\n`;
}

/** Why devices must not write a field; null: they may, as far as anybody knows. */
function readOnlyBecause({ name, shape, readOnly }: Member, one: DraftedCollection): string | null {
  if (name === one.version || name === one.stamp || name === one.flag) return 'guess: the system keeps it itself';
  if (readOnly) return '';
  const isNumber = one.list.call.kit === 'rest' && shape.kind === 'scalar' && shape.wire === 'number';
  if (isNumber && (shape.type === 'long' || shape.type === 'decimal')) {
    return 'TODO: a text here, a number in the system; to let devices write it, unmap must make a number of it';
  }
  return null;
}

function readFacts(one: DraftedCollection, context: DraftContext): readonly DraftFact[] {
  const indent = `${INDENT}  `;
  const facts: DraftFact[] = [fact(`list: ${draftedCall(one.list, 'list', one, context, indent)}`)];
  if (one.one === null)
    facts.push(
      todo('one: is there a call that reads one record? Without it deletions are proven by complete scans alone.'),
    );
  else if (one.one.call.kit === 'soap' && (one.one.keyIn ?? null) === null) {
    facts.push(
      todo(`one: ${context.names.operationOf(one.one.call)} reads one; which of its arguments takes the key (keyIn)?`),
    );
  } else facts.push(fact(`one: ${draftedCall(one.one, 'one', one, context, indent)}`));
  facts.push(...changesFacts(one, context, indent));
  context.builders.add('deletesByScan');
  const flag =
    one.flag === null ? '' : ` Or do deleted rows still come, with ${literal(one.flag)} set? Then deletesByFlag`;
  facts.push(fact("deletes: deletesByScan({ every: '6h' })", `TODO: how soon must a deletion be seen?${flag}`));
  return facts;
}

function changesFacts(one: DraftedCollection, context: DraftContext, indent: string): readonly DraftFact[] {
  const { list, stamp } = one;
  if (list.call.kit === 'odata') {
    const { set } = list.call;
    const delta = deltaTodo(set);
    if (stamp === null)
      return [
        todo('changes: nothing looks like the moment of the last change; without it each poll reads the whole set.'),
        delta,
      ];
    // An import of the kit, not of the connector's entry.
    context.kitBuilders.add('changedSince');
    const facts = [
      fact("precision: '1s'", `TODO: how finely does ${literal(stamp)} count?`),
      fact("maxTransaction: '1m'", 'TODO: how long after its moment can a change become visible?'),
    ];
    if (!set.sortable.includes(stamp)) facts.push(fact('ordered: false', 'the description says so'));
    return [
      fact(`changes: changedSince(${literal(stamp)}, {\n${factLines(facts, `${indent}  `)}${indent}})`, 'guess'),
      delta,
    ];
  }
  if (list.since === null) {
    return [
      todo('changes: the description shows no filter for what changed; without one each poll reads the whole list.'),
    ];
  }
  const facts: DraftFact[] = [
    fact(`param: ${literal(list.since)}`, 'guess: it takes the moment of the last change'),
    stamp === null
      ? todo('stamp: which member is the time of the last change?')
      : fact(`stamp: ${literal(stamp)}`, 'guess'),
    ...formatFacts(argumentShape(one)),
    fact("precision: '1s'", 'TODO: how finely does it count? Finer than it does loses changes'),
    fact("zone: 'UTC'", 'TODO: in which zone are its times, where they do not say it themselves?'),
    fact(
      'inclusive: false',
      'TODO: does the filter give records of that very moment? false asks a little further back',
    ),
    fact('ordered: false', 'TODO: do answers come in order of change?'),
    fact(
      "maxTransaction: '1m'",
      'TODO: how long after its moment can a change become visible? Too short loses changes',
    ),
  ];
  return [fact(`changes: {\n${factLines(facts, `${indent}  `)}${indent}}`)];
}

function deltaTodo({ name, tracksChanges }: EntitySet): DraftFact {
  const does = tracksChanges
    ? 'the description says that it tracks changes'
    : 'does it track changes (Prefer: odata.track-changes)?';
  return todo(
    `delta: ${does}${tracksChanges ? '.' : ''} Then trackedChanges(${literal(name)}) stands for changes and deletes`,
  );
}

function argumentShape({ list }: DraftedCollection): Shape | null {
  if (list.since === null) return null;
  if (list.call.kit === 'rest') return list.call.query.find(({ name }) => name === list.since)?.shape ?? null;
  return list.call.kit === 'soap' ? shapeAt(list.call.input?.shape ?? null, list.since) : null;
}

function formatFacts(shape: Shape | null): readonly DraftFact[] {
  if (shape?.kind !== 'scalar') return [];
  if (shape.type === 'date') return [fact("format: 'date'")];
  if (shape.wire === 'number')
    return [fact("format: 'epochSeconds'", 'guess; TODO: seconds or milliseconds (epochMs)?')];
  return shape.type === 'dateTime'
    ? []
    : [todo('format: how does it want moments written? Like 2026-01-31T08:30:00.000Z unless format says otherwise')];
}

function writeFact(one: DraftedCollection, context: DraftContext): readonly DraftFact[] {
  const indent = `${INDENT}  `;
  const facts: DraftFact[] = [];
  const call = (key: 'create' | 'update' | 'remove', remark?: string): void => {
    const drafted = one[key];
    if (drafted !== null) facts.push(fact(`${key}: ${draftedCall(drafted, key, one, context, indent)}`, remark));
  };
  if (one.create !== null)
    call('create', takesDeviceId(one) ? "TODO: does it take the device's id? Then keyIn names the member" : undefined);
  if (one.update !== null) {
    const lays = laysOver(one);
    const hasOne = one.one !== null && (one.one.call.kit !== 'soap' || (one.one.keyIn ?? null) !== null);
    if (lays && !hasOne)
      facts.push(
        todo(
          `update: ${context.names.operationOf(one.update.call)} takes a whole record, and none can be read to lay the changes over`,
        ),
      );
    else
      call('update', lays ? "TODO: does it empty what is left out? Else sends: 'changed' or another call" : undefined);
  }
  if (one.remove !== null) call('remove');
  if (facts.length === 0) return [todo('write: the description shows no call that creates, updates or deletes one.')];
  if (one.hasGuard && one.version !== null)
    facts.push(
      fact(
        `guard: ${one.list.call.kit === 'soap' ? "'argument'" : "'ifMatch'"}`,
        'guess; TODO: does it refuse a write from an older version?',
      ),
    );
  else
    facts.push(
      todo('guard: does the system refuse a write from an older version? Without a guard the last writer wins unseen.'),
    );
  facts.push(
    todo(
      'idempotencyKey or reference: what does it offer when the answer to a write is lost? Without them such a change waits for an operator.',
    ),
  );
  return [fact(`write: {\n${factLines(facts, indent)}${INDENT}}`)];
}

/** May a create take the id that a device made, a UUID, beside the record? SOAP's calls say so of each argument. */
function takesDeviceId({ create, key, row }: DraftedCollection): boolean {
  if (create?.call.kit !== 'odata') return create?.call.kit === 'rest';
  const shape = row.members.find(({ name }) => name === key)?.shape;
  return shape?.kind === 'scalar' && ['Edm.String', 'Edm.Guid'].includes(shape.says);
}

/** Is the update laid over the source's own row? */
function laysOver({ update }: DraftedCollection): boolean {
  if (update?.call.kit === 'rest') return update.call.method === 'PUT';
  return update?.call.kit === 'soap';
}
