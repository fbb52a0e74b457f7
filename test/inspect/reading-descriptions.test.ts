import { mkdirSync, truncateSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openDescription } from '../../src/inspect/description-loader.js';
import { LEDGER_WSDL, METERS_SWAGGER, PATROL_OPENAPI } from './descriptions.js';
import { openWorkshop, type Workshop } from './written-connector.js';

let workshop: Workshop;
const servers: Server[] = [];

beforeEach(() => {
  workshop = openWorkshop();
});
afterEach(async () => {
  workshop.remove();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

/** A server of descriptions, and the headers that it was asked with. */
async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly url: string; readonly asked: (readonly [url: string, token: unknown])[] }> {
  const asked: (readonly [string, unknown])[] = [];
  const server = createServer((request, response) => {
    asked.push([request.url ?? '', request.headers['x-token']]);
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const openApi = (schema: object): string =>
  JSON.stringify({
    openapi: '3.0.0',
    info: { title: 'small' },
    paths: { '/a': { get: { operationId: 'a', responses: { 200: { content: { 'application/json': { schema } } } } } } },
  });

describe('a description at an address', () => {
  test('is asked for with the headers, which nothing shows and no other host gets', async () => {
    const elsewhere = await serve((_request, response) => response.end('{}'));
    const schema = {
      allOf: [{ $ref: 'part.json#/one' }, { $ref: `${elsewhere.url.replace('127.0.0.1', 'localhost')}/other.json` }],
    };
    const here = await serve((request, response) => {
      if (request.headers['x-token'] !== 'hush') response.writeHead(401).end();
      else if (request.url?.startsWith('/old') === true)
        response.writeHead(302, { location: '/api.json?key=hush' }).end();
      else if (request.url === '/part.json')
        response.end('{"one":{"type":"object","properties":{"b":{"type":"string"}}}}');
      else response.end(openApi(schema));
    });
    const found = await workshop.inspect(`${here.url}/old?key=hush`, { headers: { 'x-token': 'hush' } });
    expect(here.asked).toEqual([
      ['/old?key=hush', 'hush'],
      ['/api.json?key=hush', 'hush'],
      ['/part.json', 'hush'],
    ]);
    expect(elsewhere.asked).toEqual([]);
    expect(found.system.notes).toEqual([expect.stringContaining('parts that lie elsewhere were not read')]);
    expect(workshop.read('small', 'generated.ts')).toContain('readonly b?: string;');
    for (const file of ['generated.ts', 'connector.ts', 'golden/a.json'])
      expect(workshop.read('small', file)).not.toContain('hush');

    const refused = workshop.inspect(`${here.url}/old?key=hush`);
    await expect(refused).rejects.toMatchObject({
      reason: 'source',
      message: expect.stringMatching(/^http:[^?]*\/old: expected the description, got status 401/),
    });
    await expect(refused).rejects.not.toThrow(/hush/);
  });

  test('has parts at other ports of its host, which get no headers', async () => {
    const part = { one: { type: 'object', properties: { b: { type: 'string' } } } };
    const beside = await serve((_request, response) => response.end(JSON.stringify(part)));
    const here = await serve((_request, response) => response.end(openApi({ $ref: `${beside.url}/part.json#/one` })));
    await workshop.inspect(`${here.url}/api.json`, { headers: { 'x-token': 'hush' } });
    expect(here.asked).toEqual([['/api.json', 'hush']]);
    expect(beside.asked).toEqual([['/part.json', undefined]]);
    expect(workshop.read('small', 'generated.ts')).toContain('readonly b?: string;');
  });

  test('is not looked for at another host, or in a circle', async () => {
    const elsewhere = await serve((_request, response) => response.end(PATROL_OPENAPI));
    const here = await serve((request, response) =>
      response.writeHead(307, { location: request.url === '/round' ? '/round' : `${elsewhere.url}/x` }).end(),
    );
    await expect(workshop.inspect(`${here.url}/away`)).rejects.toThrow(
      /got a redirect to another host, http:\/\/127\.0\.0\.1:\d+: name that/,
    );
    await expect(workshop.inspect(`${here.url}/round`)).rejects.toThrow(/expected at most 5 redirects, got more/);
    expect(elsewhere.asked).toEqual([]);
  });

  test('of parts that are too large together is refused, though each is small enough', async () => {
    const [PART, MOST] = [30 * 1024 * 1024, 128 * 1024 * 1024];
    const body = Buffer.alloc(PART, ' ');
    const here = await serve((_request, response) => void response.end(body));
    const options = { source: `${here.url}/0`, headers: {}, timeLimit: () => new AbortController().signal };
    const loader = await openDescription(options);
    for (let at = 1; at < Math.floor(MOST / PART); at++)
      expect(await loader.part(`/${at}`, loader.main)).not.toBeNull();
    await expect(loader.part('/last', loader.main)).rejects.toThrow(
      `expected at most ${MOST} bytes in all parts, got more`,
    );
    // What was read already costs nothing.
    expect(await loader.part('/1', loader.main)).not.toBeNull();
  });

  test('that is too large, no description, or not there is refused', async () => {
    const here = await serve((request, response) => {
      if (request.url === '/large') {
        const chunk = Buffer.alloc(1024 * 1024, ' ');
        const more = (): void => {
          while (!response.destroyed && response.write(chunk));
          if (!response.destroyed) response.once('drain', more);
        };
        more();
      } else if (request.url === '/page') response.end('<!DOCTYPE html><html><body>Sign in</body></html>');
      else response.writeHead(500).end('no');
    });
    await expect(workshop.inspect(`${here.url}/large`)).rejects.toThrow(/at most 33554432 bytes/);
    await expect(workshop.inspect(`${here.url}/page`)).rejects.toThrow(
      /page:1: expected a description, got an HTML page/,
    );
    await expect(workshop.inspect(`${here.url}/gone`)).rejects.toThrow(/expected the description, got status 500/);
    await expect(workshop.inspect('http://127.0.0.1:1/x')).rejects.toMatchObject({ reason: 'source' });
  });

  test('that takes too long is given up', async () => {
    const here = await serve(() => undefined);
    const given = workshop.inspect(here.url, { timeLimit: () => AbortSignal.abort() });
    await expect(given).rejects.toThrow(/got no answer: it took too long/);
  });
});

describe('a file', () => {
  test('leads to files of its folder only, unless told of a larger one', async () => {
    mkdirSync(`${workshop.folder}/api`);
    workshop.write('secret.json', '{"type":"object","properties":{"secret":{"type":"string"}}}');
    const source = workshop.write('api/main.json', openApi({ $ref: '../secret.json' }));
    const found = await workshop.inspect(source);
    expect(found.system.notes).toEqual([
      'parts that lie elsewhere were not read, what they describe is left open: "../secret.json"',
    ]);
    expect(workshop.read('small', 'generated.ts')).not.toContain('secret');
    await workshop.inspect(source, { root: workshop.folder, name: 'wide' });
    expect(workshop.read('wide', 'generated.ts')).toContain('secret');
  });

  test('includes schemas into the namespace of the one that includes them', async () => {
    workshop.write(
      'types.xsd',
      `<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema"><x:complexType name="Wide"><x:sequence><x:element name="of" type="Short"/></x:sequence></x:complexType><x:simpleType name="Short"><x:restriction base="x:string"><x:enumeration value="s"/></x:restriction></x:simpleType></x:schema>`,
    );
    const text = LEDGER_WSDL.replace(
      '<xsd:schema targetNamespace="urn:ledger">',
      '<xsd:schema targetNamespace="urn:ledger"><xsd:include schemaLocation="types.xsd"/>',
    ).replace('type="xsd:anyType"', 'type="tns:Wide"');
    await workshop.inspect(workshop.write('ledger.wsdl', text));
    expect(workshop.read('ledger', 'generated.ts')).toContain(`export interface Wide {\n  readonly of: 's';\n}`);
  });
});

describe('a description that cannot be used is refused with its place:', () => {
  const deep = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels);
  const refused: readonly (readonly [what: string, file: string, text: string, message: RegExp])[] = [
    ['broken JSON', 'a.json', '{\n"openapi": "3.0.0",\n]', /^a\.json:3: expected well-formed JSON$/],
    ['broken YAML', 'a.yaml', 'openapi: 3.0.0\npaths:\n  - a: b: c\n', /^a\.yaml:3: expected well-formed YAML/],
    ['aliases that multiply', 'a.yaml', billionLaughs(), /^a\.yaml: expected YAML without aliases that multiply/],
    ['JSON that is too deep', 'a.json', deep(300), /^a\.json: expected at most 200 objects within each other/],
    [
      'another version',
      'a.json',
      '{"openapi":"4.0.0"}',
      /^a\.json #: expected "openapi" 3\.0 or 3\.1, or "swagger" 2\.0, got "4\.0\.0"$/,
    ],
    ['something else', 'a.json', '{"hello":1}', /got neither of them$/],
    ['no paths', 'a.json', '{"openapi":"3.1.0"}', /^a\.json #\/paths: expected an object of paths, got none$/],
    [
      'a reference to nothing',
      'a.json',
      openApi({ $ref: '#/components/schemas/Nope' }),
      /^a\.json #\/paths\/~1a\/get\/responses\/200\/content\/application~1json\/schema: expected a \$ref that leads somewhere, got "#\/components\/schemas\/Nope"$/,
    ],
    [
      'references in a circle',
      'a.json',
      openApi({ $ref: '#/paths/~1a/get/responses/200/content/application~1json/schema' }),
      /got one that leads in a circle$/,
    ],
    [
      'schemas that are too deep',
      'a.json',
      openApi(nested(70)),
      /schema\/items\/items.*: expected at most 60 schemas within each other, got more$/,
    ],
    [
      'too many operations',
      'a.json',
      JSON.stringify({
        openapi: '3.0.0',
        paths: Object.fromEntries(Array.from({ length: 10_001 }, (_, at) => [`/a${at}`, { get: { responses: {} } }])),
      }),
      /expected at most 10000 operations, got more$/,
    ],
    [
      'XML types that are too deep',
      'a.wsdl',
      LEDGER_WSDL.replace('type="xsd:anyType"', 'type="tns:T0"').replace('<xsd:complexType name="Entry">', (entry) => {
        const types = Array.from({ length: 110 }, (_, at) => xsdType(`T${at}`, `tns:T${at + 1}`));
        return `${types.join('')}${entry}`;
      }),
      /^a\.wsdl:\d+: expected at most 100 types within each other, got more$/,
    ],
    ['broken XML', 'a.wsdl', '<definitions>\n<types>\n</definitions>', /^a\.wsdl:3: expected well-formed XML: /],
    [
      'a DOCTYPE',
      'a.wsdl',
      '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><definitions>&b;</definitions>',
      /^a\.wsdl:2: expected no DOCTYPE, got one$/,
    ],
    ['an entity', 'a.wsdl', '<definitions>&b;</definitions>', /^a\.wsdl:1: expected well-formed XML: undefined entity/],
    ['XML that is too deep', 'a.wsdl', '<a>'.repeat(300), /expected at most 200 elements within each other, got more$/],
    [
      'a WSDL without SOAP',
      'a.wsdl',
      '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"/>',
      /^a\.wsdl:1: expected operations over SOAP as document\/literal or rpc, got none$/,
    ],
    [
      'other XML',
      'a.xml',
      '<rss/>',
      /^a\.xml:1: expected WSDL 1\.1, OpenAPI, Swagger or OData's \$metadata, got XML of "rss"$/,
    ],
    ['other bytes', 'a.xml', '<?xml version="1.0" encoding="utf-16"?><a/>', /^a\.xml: expected a text in utf-16/],
  ];
  test.each(refused)('%s', async (_what, file, text, message) => {
    const given = workshop.inspect(workshop.write(file, text));
    await expect(given).rejects.toMatchObject({ reason: 'config', message: expect.stringMatching(message) });
  });

  test('a file that is too large', async () => {
    const source = workshop.write('a.json', '');
    truncateSync(source, 32 * 1024 * 1024 + 1);
    await expect(workshop.inspect(source)).rejects.toThrow(/a\.json: expected at most 33554432 bytes, got 33554433$/);
  });

  test('one of too many parts', async () => {
    const here = await serve((request, response) => {
      const isPart = request.url !== '/api.json';
      const parts = Array.from({ length: 500 }, (_, at) => ({ $ref: `part${at}.json` }));
      response.end(isPart ? '{"type":"object"}' : openApi({ allOf: parts }));
    });
    await expect(workshop.inspect(`${here.url}/api.json`)).rejects.toThrow(/: expected at most 500 parts, got more$/);
    expect(here.asked).toHaveLength(500);
  });

  test('no such file', async () => {
    await expect(workshop.inspect(`${workshop.folder}/none.json`)).rejects.toThrow(
      /expected a file that can be read: ENOENT/,
    );
  });

  test('no operation of a name', async () => {
    const source = workshop.write('meters.yml', METERS_SWAGGER);
    await expect(workshop.inspect(source, { only: ['boats'] })).rejects.toThrow(/--only: expected a part of the name/);
    expect((await workshop.inspect(source, { only: ['ADD'] })).counts.operations).toBe(1);
  });
});

test('types that contain themselves end, in rows, fields and examples', async () => {
  const schema = {
    type: 'array',
    items: { $ref: '#/paths/~1a/get/responses/200/content/application~1json/schema' },
  };
  await workshop.inspect(workshop.write('circle.json', openApi(schema)));
  const circle = JSON.stringify({
    ...JSON.parse(openApi({ $ref: '#/components/schemas/A' })),
    components: {
      schemas: {
        A: { anyOf: [{ type: 'null' }, { $ref: '#/components/schemas/B' }] },
        C: { anyOf: [{ $ref: '#/components/schemas/C' }, { $ref: '#/components/schemas/B' }] },
        B: {
          allOf: [
            { $ref: '#/components/schemas/B' },
            {
              properties: { b: { $ref: '#/components/schemas/B' }, c: { $ref: '#/components/schemas/C' } },
              required: ['b'],
            },
          ],
        },
      },
    },
  });
  await workshop.inspect(workshop.write('other.json', circle), { name: 'other' });
  expect(JSON.parse(workshop.read('other', 'golden/a.json'))).toEqual({
    request: { method: 'GET', path: '/a' },
    answer: { status: 200, body: { b: {}, c: {} } },
  });
});

function xsdType(name: string, inner: string): string {
  return `<xsd:complexType name="${name}"><xsd:all><xsd:element name="a" type="${inner}"/></xsd:all></xsd:complexType>`;
}

function nested(levels: number): object {
  let schema: object = { type: 'string' };
  for (let level = 0; level < levels; level++) schema = { type: 'array', items: schema };
  return schema;
}

function billionLaughs(): string {
  const lines = ['openapi: 3.0.0', 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 9; level++)
    lines.push(
      `a${level}: &a${level} [${Array(10)
        .fill(`*a${level - 1}`)
        .join(', ')}]`,
    );
  return `${lines.join('\n')}\n`;
}
