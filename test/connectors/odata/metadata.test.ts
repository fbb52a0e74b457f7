import { readMetadata } from '../../../src/connectors/odata-metadata.js';
import { modelOf, type ODataModel } from '../../../src/connectors/odata-model.js';
import { sourceKey } from '../../../src/core/id.js';
import { scanned } from '../scripted-source.js';
import { startCare, VISITS, type CareUnderTest } from './care-under-test.js';
import { METADATA } from './service-schema.js';

const NEVER = new AbortController().signal;
const XML = new Map([['content-type', 'application/xml;charset=utf-8']]);

/** Reads a document, byte by byte, so that nothing depends on where its pieces end. */
async function modelIn(text: string | Buffer, headers: ReadonlyMap<string, string> = XML): Promise<ODataModel> {
  async function* pieces(): AsyncGenerator<Buffer, void> {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 7) yield await Promise.resolve(bytes.subarray(at, at + 7));
  }
  return modelOf(await readMetadata({ status: 200, headers }, pieces()));
}

function schema(inner: string, version = '4.01'): string {
  return `<edmx:Edmx Version="${version}" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
    <Schema Namespace="A.B" Alias="S" xmlns="http://docs.oasis-open.org/odata/ns/edm">${inner}
      <EntityContainer Name="C"><EntitySet Name="Things" EntityType="S.Thing"/></EntityContainer>
    </Schema></edmx:DataServices></edmx:Edmx>`;
}

describe('a $metadata document', () => {
  it('shows a set with its key, what its type inherits, and whether its writes need an ETag', async () => {
    const model = await modelIn(METADATA);
    const { type, isGuarded } = model.entitySet('Visits');
    expect(type.keys).toEqual(['ID']);
    expect(type.properties.get('LastModified')).toMatchObject({
      type: 'Edm.DateTimeOffset',
      isNullable: false,
      isFilled: true,
    });
    expect(type.properties.get('Lines')).toMatchObject({ isNavigation: true, isCollection: true, type: 'Care.Line' });
    expect(isGuarded).toBe(true);
    expect(model.entitySet('Rooms').isGuarded).toBe(false);
    expect(model.entitySet('Lines').type.keys).toEqual(['VisitID', 'Number']);
    expect(model.kindOf('Care.Money')).toEqual({ kind: 'primitive', name: 'Edm.Decimal' });
    expect(model.kindOf('Care.Status')).toMatchObject({ kind: 'enum', members: ['Planned', 'Done', 'Missed'] });
    expect(model.kindOf('Care.Vitals')).toMatchObject({ kind: 'complex' });
  });

  it('of OData 4.01 is read: types that are left out, a key of the base type, annotations elsewhere under another alias', async () => {
    const model = await modelIn(
      schema(`
        <Annotations Target="S.Thing/Number"><Annotation Term="V.ComputedDefaultValue"/></Annotations>
        <Annotations Target="S.C/Things"><Annotation Term="V.OptimisticConcurrency"><Collection/></Annotation></Annotations>
        <EntityType Name="Base" Abstract="true"><Key><PropertyRef Name="ID"/></Key><Property Name="ID" Nullable="false"/></EntityType>
        <EntityType Name="Thing" BaseType="S.Base" OpenType="true"><Property Name="Number" Type="Edm.Int32" Nullable="false"/></EntityType>
        <ext:EntityType xmlns:ext="urn:else" Name="Thing"/>`),
    );
    const { type, isGuarded } = model.entitySet('Things');
    expect([type.keys, type.isOpen, isGuarded]).toEqual([['ID'], true, true]);
    expect(type.properties.get('ID')).toMatchObject({ type: 'Edm.String' });
    expect(type.properties.get('Number')).toMatchObject({ isFilled: true });
  });

  const V2 = `<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"/>`;
  const LINE = `<EntityType Name="Thing" BaseType="S.Other"/><EntityType Name="Other" BaseType="S.Thing"/>`;
  const deep = `<Annotation Term="a.b">${'<Record>'.repeat(70)}${'</Record>'.repeat(70)}</Annotation>`;
  it.each<[string, string | Buffer, string]>([
    ['a DOCTYPE', `<!DOCTYPE a [<!ENTITY b "c">]>${METADATA}`, 'expected no DOCTYPE, got one'],
    ['OData 2', V2, 'expected the $metadata of OData 4.0 or 4.01, got an Edmx of version 1.0'],
    ['a page', '<html><body>log in</body></html>', 'got the element html'],
    ['half a document', METADATA.slice(0, 900), 'expected whole, well-formed XML'],
    ['an entity of its own', METADATA.replace('Care"', '&care;"'), 'expected whole, well-formed XML'],
    ['another encoding', Buffer.from([0x3c, 0x61, 0xe9, 0x3e]), 'expected XML in UTF-8'],
    ['no sets', schema('').replace(/<EntitySet.*?>/, ''), 'expected a service with entity sets'],
    ['elements without end', schema(deep), 'expected at most 64 elements within each other'],
  ])('is refused with its reason: %s', async (_what, text, reason) => {
    await expect(modelIn(text)).rejects.toThrow(reason);
  });

  it('is refused as JSON, and a type whose bases lead in a circle is', async () => {
    await expect(modelIn('{}', new Map([['content-type', 'application/json']]))).rejects.toThrow('expected XML, got');
    const model = await modelIn(schema(LINE));
    expect(() => model.entitySet('Things')).toThrow('expected a type with at most 50 bases');
    expect(() => model.entitySet('Thing')).toThrow('expected one of the entity sets Things, got Thing');
  });
});

describe('the $metadata of a service', () => {
  let care: CareUnderTest;
  beforeEach(async () => (care = await startCare()));
  afterEach(() => care.close());

  const read = (): number => care.service.asked.filter(({ path }) => path === '/$metadata').length;

  it('is read once, with the first call, for all collections', async () => {
    const [visits, patients] = care.open();
    expect(read()).toBe(0);
    await Promise.all([visits, patients].map((one) => scanned(one ?? visits!)));
    care.advance(3_600_000);
    await visits?.readOne(sourceKey(['1']), NEVER);
    expect(read()).toBe(1);
  });

  it('R11: that cannot be read leaves writes not sent, and is asked for again with the next call', async () => {
    care.service.instead = ({ path }) => (path === '/$metadata' ? { status: 503 } : null);
    const visits = care.openOne(VISITS);
    const create = { kind: 'create', sourceKey: sourceKey(['1']), fields: {}, current: null, guard: null } as const;
    expect(await visits.write({ ...create, idempotencyKey: 'i' }, NEVER)).toMatchObject({
      kind: 'notSent',
      reason: expect.stringContaining('its $metadata cannot be read: expected status 200, got 503') as string,
    });
    expect(care.service.asked.every(({ method }) => method === 'GET')).toBe(true);
    care.service.instead = () => null;
    expect(await scanned(visits)).toEqual([]);
  });

  it('is not larger than answers may be', async () => {
    const visits = care.openOne(VISITS, { maxAnswerBytes: 1_000 });
    await expect(scanned(visits)).rejects.toThrow('expected an answer of at most 1000 bytes, got more');
  });

  it('that does not have what is declared is read again after a minute, not with every poll', async () => {
    const { metadata } = care.service;
    care.service.metadata = metadata.replace('Property Name="Note"', 'Property Name="Text"');
    const visits = care.openOne(VISITS);
    for (const _ of [1, 2, 3])
      await expect(scanned(visits)).rejects.toThrow('fields.note: expected one of the properties');
    expect(read()).toBe(1);
    care.service.metadata = metadata;
    care.advance(60_000);
    expect(await scanned(visits)).toEqual([]);
    expect(read()).toBe(2);
  });
});
