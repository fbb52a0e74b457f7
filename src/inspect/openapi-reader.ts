import { elsewhereNote, shown } from './description-fault.js';
import {
  DataDocuments,
  entriesAt,
  memberAt,
  misfitAt,
  objectOf,
  textOf,
  type Data,
  type Placed,
} from './data-document.js';
import type { DescriptionLoader } from './description-loader.js';
import { OPEN, type DescribedSystem, type Member, type RestCall, type Shape } from './described-system.js';
import { JsonSchemaReader, scalarOf } from './json-schema-reader.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
/** More calls than this are no description that a person reads. */
const MAX_OPERATIONS = 10_000;

/**
 * Reads OpenAPI 3.0 and 3.1, and Swagger 2.
 *
 * @throws StartupError config - with the place as a JSON pointer
 */
export async function readOpenApi(loader: DescriptionLoader): Promise<DescribedSystem> {
  const documents = new DataDocuments(loader);
  const top = documents.top();
  const value = objectOf(top.value);
  const said = value?.['openapi'] ?? value?.['swagger'] ?? '';
  // YAML reads 2.0 without quotes as a number.
  const versionText = typeof said === 'number' ? said.toFixed(1) : (textOf(said) ?? '');
  const isSwagger = value?.['openapi'] === undefined && /^2(\.\d+)*$/.test(versionText);
  if (value === null || !(isSwagger || /^3\.[01](\.|$)/.test(versionText))) {
    const got = versionText === '' ? 'neither of them' : shown(versionText);
    throw misfitAt(top, `expected "openapi" 3.0 or 3.1, or "swagger" 2.0, got ${got}`);
  }
  const reader = new OpenApiReader(documents, isSwagger);
  const operations = await reader.operations(top);
  const info = objectOf(value['info']);
  return {
    kit: 'rest',
    format: `${isSwagger ? 'Swagger' : 'OpenAPI'} ${versionText}`,
    title: textOf(info?.['title']) ?? '',
    version: textOf(info?.['version']),
    address: isSwagger ? swaggerAddress(top) : textOf(memberAt(top, 'servers', 0, 'url').value),
    signIn: signInOf(memberAt(top, ...(isSwagger ? ['securityDefinitions'] : ['components', 'securitySchemes']))),
    operations,
    notes: [...reader.notes(), ...elsewhereNote(documents.elsewhere)],
  };
}

class OpenApiReader {
  readonly #documents: DataDocuments;
  readonly #isSwagger: boolean;
  readonly #schemas: JsonSchemaReader;
  readonly #other: string[] = [];

  constructor(documents: DataDocuments, isSwagger: boolean) {
    this.#documents = documents;
    this.#isSwagger = isSwagger;
    this.#schemas = new JsonSchemaReader(documents);
  }

  notes(): readonly string[] {
    const some = this.#other.slice(0, 3).map(shown).join(', ');
    return this.#other.length === 0
      ? []
      : [`${this.#other.length} answers or bodies are no JSON and are left open, like those of ${some}`];
  }

  async operations(top: Placed): Promise<readonly RestCall[]> {
    const paths = memberAt(top, 'paths');
    if (objectOf(paths.value) === null) throw misfitAt(paths, 'expected an object of paths, got none');
    const calls: RestCall[] = [];
    for (const [path, item] of entriesAt(paths)) {
      if (!path.startsWith('/')) continue;
      const place = await this.#documents.resolved(item);
      const shared = await this.#parameters(memberAt(place, 'parameters'));
      for (const method of METHODS) {
        const operation = memberAt(place, method);
        if (objectOf(operation.value) === null) continue;
        if (calls.length >= MAX_OPERATIONS)
          throw misfitAt(operation, `expected at most ${MAX_OPERATIONS} operations, got more`);
        calls.push(await this.#call(top, path, method, operation, shared));
      }
    }
    return calls;
  }

  async #call(
    top: Placed,
    path: string,
    method: (typeof METHODS)[number],
    operation: Placed,
    shared: readonly Parameter[],
  ): Promise<RestCall> {
    const own = await this.#parameters(memberAt(operation, 'parameters'));
    const parameters = [
      ...shared.filter((one) => !own.some((other) => other.in === one.in && other.member.name === one.member.name)),
      ...own,
    ];
    const facts = objectOf(operation.value);
    const name = textOf(facts?.['operationId']) ?? `${method} ${path}`;
    const at = (place: Parameter['in']): readonly Member[] =>
      parameters.flatMap((one) => (one.in === place ? [one.member] : []));
    return {
      kit: 'rest',
      name,
      method: method.toUpperCase() as RestCall['method'],
      path: path.replace(/[?#].*$/s, ''),
      summary: textOf(facts?.['summary']) ?? textOf(facts?.['description']),
      pathParameters: pathParametersOf(path, at('path')),
      query: at('query'),
      headers: at('header').map((header) => header.name.toLowerCase()),
      body: at('body')[0]?.shape ?? (await this.#content(memberAt(operation, 'requestBody'), `${name} body`)),
      answer: await this.#answer(top, operation, name),
    };
  }

  async #parameters(list: Placed): Promise<readonly Parameter[]> {
    const parameters: Parameter[] = [];
    for (const [, one] of entriesAt(list)) {
      const placed = await this.#documents.resolved(one);
      const facts = objectOf(placed.value);
      const name = textOf(facts?.['name']);
      const place = textOf(facts?.['in']);
      if (facts === null || name === null || !isPlace(place)) continue;
      const isRequired = facts['required'] === true || place === 'path';
      parameters.push({ in: place, member: await this.#parameter(name, placed, isRequired) });
    }
    return parameters;
  }

  async #parameter(name: string, placed: Placed, required: boolean): Promise<Member> {
    const schema = memberAt(placed, 'schema');
    if (schema.value !== undefined) return await this.#schemas.member(name, schema, required);
    // Swagger 2 says the type beside the name.
    const facts = objectOf(placed.value);
    const shape = facts === null ? null : facts['type'] === 'array' ? null : scalarOf(facts);
    return { name, shape: shape ?? OPEN, required, nullable: false, readOnly: false };
  }

  async #answer(top: Placed, operation: Placed, name: string): Promise<RestCall['answer']> {
    const responses = entriesAt(memberAt(operation, 'responses'));
    const good = responses.filter(([status]) => /^2\d\d$/.test(status)).sort(([a], [b]) => a.localeCompare(b));
    const [status, response] =
      good[0] ?? responses.find(([one]) => /^2xx$/i.test(one)) ?? responses.find(([one]) => one === 'default') ?? [];
    if (status === undefined || response === undefined) return { status: 200, shape: null, headers: [] };
    const placed = await this.#documents.resolved(response);
    return {
      status: /^2\d\d$/.test(status) ? Number(status) : 200,
      shape: await this.#content(placed, `${name} answer`),
      headers: entriesAt(memberAt(placed, 'headers')).map(([header]) => header.toLowerCase()),
    };
  }

  /** What a body holds, where it can be JSON; null: it has no body. */
  async #content(body: Placed, name: string): Promise<Shape | null> {
    const placed = await this.#documents.resolved(body);
    if (this.#isSwagger) {
      const schema = memberAt(placed, 'schema');
      return schema.value === undefined ? null : await this.#schemas.shape(schema, name);
    }
    const media = entriesAt(memberAt(placed, 'content'));
    const json = media.find(([type]) => isJson(type));
    if (json !== undefined) {
      const schema = memberAt(json[1], 'schema');
      return schema.value === undefined ? OPEN : await this.#schemas.shape(schema, name);
    }
    if (media.length === 0) return null;
    this.#other.push(name);
    return OPEN;
  }
}

interface Parameter {
  readonly in: 'path' | 'query' | 'header' | 'body';
  readonly member: Member;
}

function isPlace(text: string | null): text is Parameter['in'] {
  return text === 'path' || text === 'query' || text === 'header' || text === 'body';
}

function isJson(mediaType: string): boolean {
  return /^(application|text)\/([a-z0-9.+-]+\+)?json\b|^\*\/\*/i.test(mediaType.trim());
}

/** In the order of the path, those that nobody declared too. */
function pathParametersOf(path: string, declared: readonly Member[]): readonly Member[] {
  return [...path.matchAll(/\{([^{}/]+)\}/g)].map(([, name = '']) => {
    const found = declared.find((one) => one.name === name);
    return found ?? { name, shape: OPEN, required: true, nullable: false, readOnly: false };
  });
}

function swaggerAddress(top: Placed): string | null {
  const host = textOf(memberAt(top, 'host').value);
  const basePath = textOf(memberAt(top, 'basePath').value) ?? '';
  const scheme = textOf(memberAt(top, 'schemes', 0).value) ?? 'https';
  if (host === null) return basePath === '' ? null : basePath;
  return `${scheme}://${host}${basePath}`;
}

function signInOf(schemes: Placed): readonly string[] {
  return entriesAt(schemes).flatMap(([, scheme]) => {
    const facts = objectOf(scheme.value);
    return facts === null ? [] : [schemeText(facts)];
  });
}

function schemeText(facts: { readonly [name: string]: Data | undefined }): string {
  const type = textOf(facts['type']) ?? 'unknown';
  if (type === 'http') return textOf(facts['scheme']) ?? type;
  if (type === 'apiKey') return `key in the ${textOf(facts['in']) ?? 'header'} ${textOf(facts['name']) ?? ''}`.trim();
  return type;
}
