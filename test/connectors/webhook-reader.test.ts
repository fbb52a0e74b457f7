import {
  collection,
  defineConnector,
  field,
  hmac,
  keyFormsOf,
  sharedSecret,
  type WebhookContent,
  type WebhookFacts,
} from '../../src/connectors/define.js';
import { get, rest } from '../../src/connectors/rest.js';
import { createWebhookReader, type WebhookVerdict } from '../../src/connectors/webhook-reader.js';
import { createManualClock } from '../support/manual-clock.js';

const SECRET = 'a secret of sixteen bytes or more';
const PROOF = sharedSecret({ header: 'X-Token', secret: SECRET });

function clinicWith(webhook: unknown) {
  return defineConnector({
    source: 'clinic',
    transport: rest({ baseUrl: 'http://clinic.example' }),
    webhook: webhook as WebhookFacts,
    collections: {
      visits: collection({
        type: 'Visit',
        key: 'id',
        keyForm: { digits: 1 },
        fields: { note: field.string() },
        read: { list: get('/visits'), one: get('/visits/{key}') },
      }),
      patients: collection({
        type: 'Patient',
        key: ['ward', 'id'],
        fields: { name: field.string() },
        read: { list: get('/patients') },
      }),
    },
  });
}

interface Read {
  readonly verdict: WebhookVerdict;
  readonly lines: readonly string[];
}

function read(facts: Omit<WebhookFacts, 'proof'>, body: string, headers: Readonly<Record<string, string>> = {}): Read {
  const lines: string[] = [];
  const note = (what: string, details: object = {}): void => void lines.push(`${what} ${JSON.stringify(details)}`);
  const definition = clinicWith({ proof: PROOF, ...facts });
  const reader = createWebhookReader(
    'clinic',
    definition.webhook as WebhookFacts,
    Object.keys(definition.collections),
    keyFormsOf([definition]),
    { clock: createManualClock(), log: { debug: note, info: note, warn: note, error: note } },
  );
  return { verdict: reader.read({ 'x-token': SECRET, ...headers }, Buffer.from(body)), lines };
}

const good = (...named: readonly (readonly [string, readonly string[] | null])[]) => ({
  kind: 'good',
  named: named.map(([name, keys]) => ({ collection: name, keys })),
});
const ALL = good(['visits', null], ['patients', null]);

describe('what a webhook names', () => {
  test.each<readonly [string, WebhookFacts['names'], ReturnType<typeof good>]>([
    ['a collection', 'visits', good(['visits', null])],
    ['several', ['visits', 'patients'], ALL],
    ['nothing: all of the source', undefined, ALL],
    ['by a function: one', () => ({ collection: 'visits' }), good(['visits', null])],
    ['by a function: a record', () => ({ collection: 'visits', key: 7 }), good(['visits', ['7']])],
    ['by a function: none', () => [], good()],
    [
      'by a function: records in the form of their keys, each once',
      () => ['007', 7, '8'].map((key) => ({ collection: 'visits', key })),
      good(['visits', ['7', '8']]),
    ],
    [
      'by a function: a key of two parts',
      () => ({ collection: 'patients', key: ['north', 7] }),
      good(['patients', ['north:7']]),
    ],
    [
      'by a function: a record and its whole collection',
      () => [{ collection: 'visits', key: 7 }, { collection: 'visits' }, { collection: 'visits', key: 8 }],
      good(['visits', null]),
    ],
    ['by a function: what is no key', () => ({ collection: 'visits', key: '' }), good(['visits', null])],
  ])('%s', (_what, names, verdict) => {
    const found = read(names === undefined ? {} : { names }, '{}');
    expect(found).toEqual({ verdict, lines: [] });
  });

  test.each<readonly [string, string, string, unknown]>([
    ['JSON', 'application/json', '{"id":7}', { id: 7 }],
    ['JSON without its type', 'text/plain', '[1]', [1]],
    ['a form', 'application/x-www-form-urlencoded; charset=utf-8', 'id=7&a=%C3%A4', { id: '7', a: 'ä' }],
    ['XML, as its text', 'application/xml', '<id>7</id>', '<id>7</id>'],
    ['half a JSON, as its text', 'application/json', '{"id":', '{"id":'],
    ['nothing', '', '', ''],
  ])('is read in its body: %s', (_what, type, body, expected) => {
    let seen: WebhookContent | null = null;
    read({ names: (webhook) => ((seen = webhook), []) }, body, type === '' ? {} : { 'content-type': type });
    expect(seen).toMatchObject({ body: expected });
  });

  test('is read in its headers, of which the proof is kept back', () => {
    let seen: WebhookContent | null = null;
    read({ names: (webhook) => ((seen = webhook), []) }, '{}', { 'x-topic': 'orders/create' });
    expect(seen).toEqual({ body: {}, headers: { 'x-topic': 'orders/create' } });
  });

  test.each<readonly [string, WebhookFacts['names'], string]>([
    [
      'throws',
      ({ body }) => ({ collection: 'visits', key: (body as { visit: { id: number } }).visit.id }),
      "Cannot read properties of undefined (reading 'id')",
    ],
    [
      'names another collection',
      () => ({ collection: 'vistis' }),
      'expected names of visits, patients, got \\"vistis\\"',
    ],
    ['gives something else', (() => 7) as never, 'expected names of visits, patients, got a number'],
    [
      'names more than a thousand',
      () => Array.from({ length: 1_001 }, (_, key) => ({ collection: 'visits', key })),
      'expected at most 1000 names, got 1001',
    ],
  ])('by a function that %s: it is all, and told', (_what, names, why) => {
    const { verdict, lines } = read(names === undefined ? {} : { names }, '{}');
    expect(verdict).toEqual(ALL);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(why);
  });

  test('is not looked at without a good proof', () => {
    let isCalled = false;
    const names = () => ((isCalled = true), []);
    expect(read({ names }, '{}', { 'x-token': 'another' }).verdict).toEqual({ kind: 'forged' });
    expect(isCalled).toBe(false);
  });
});

describe('a webhook that does not fit', () => {
  const HMAC = { header: 'X-Sig', secret: SECRET };
  test.each<readonly [string, unknown, string]>([
    ['no object', 'a secret', 'webhook: expected { proof, names }, got another text'],
    ['no proof', {}, 'webhook.proof: expected hmac(…) or sharedSecret(…), got nothing'],
    ['a text as proof', { proof: SECRET }, 'webhook.proof: expected hmac(…) or sharedSecret(…), got another text'],
    ['an unknown key', { proof: PROOF, path: '/x' }, 'webhook.path: expected no such key'],
    [
      'an unknown collection',
      { proof: PROOF, names: 'vistis' },
      'webhook.names: expected one of visits, patients, got "vistis"',
    ],
    [
      'no names',
      { proof: PROOF, names: [] },
      'webhook.names: expected the name of a collection, names, or a function, got a list of 0',
    ],
    [
      'a long debounce',
      { proof: PROOF, debounce: '1h' },
      'webhook.debounce: expected a duration like "500ms", 600000 ms at most, got another text',
    ],
    [
      'a short secret',
      { proof: sharedSecret({ header: 'X', secret: 'hunter2' }) },
      'webhook.proof.secret: expected at least 16 bytes, got 7',
    ],
    [
      'an empty one',
      { proof: hmac({ ...HMAC, secret: '' }) },
      'webhook.proof.secret: expected a text, bytes, or a list of these, got ""',
    ],
    [
      'many secrets',
      { proof: hmac({ ...HMAC, secret: Array.from({ length: 6 }, () => SECRET) }) },
      'webhook.proof.secret: expected at most 5, got 6',
    ],
    [
      'a header with a space',
      { proof: hmac({ ...HMAC, header: 'X Sig' }) },
      'webhook.proof.header: expected the name of a header, got another text',
    ],
    [
      'prefix and member',
      { proof: hmac({ ...HMAC, prefix: 'a', member: 'b' }) },
      'webhook.proof.prefix: expected prefix or member, got both',
    ],
    [
      'a time from nowhere',
      { proof: hmac({ ...HMAC, timestamp: {} }) },
      'webhook.proof.timestamp: expected header or member, got neither',
    ],
    [
      'a time in a list that is none',
      { proof: hmac({ ...HMAC, timestamp: { member: 't' } }) },
      'webhook.proof.member: expected it beside timestamp.member',
    ],
    [
      'a body that is not signed',
      { proof: hmac({ ...HMAC, signs: 'x' }) },
      'webhook.proof.signs: expected {body} once, since the body must be signed, got 0',
    ],
    [
      'a time that is not signed',
      { proof: hmac({ ...HMAC, timestamp: { header: 'X-At' }, signs: '{body}' }) },
      'webhook.proof.signs: expected {timestamp} once',
    ],
    [
      'a time that is not there',
      { proof: hmac({ ...HMAC, signs: '{timestamp}.{body}' }) },
      'webhook.proof.signs: expected {timestamp} only beside timestamp, got 1',
    ],
    ['an id that is not signed', { proof: hmac({ ...HMAC, id: 'X-Id' }) }, 'webhook.proof.signs: expected {id} once'],
  ])('%s is refused at start', (_what, webhook, line) => {
    let message = '';
    try {
      clinicWith(webhook);
    } catch (thrown) {
      ({ message } = thrown as Error);
    }
    expect(message).toContain(`connector clinic: ${line}`);
    expect(message).not.toContain(SECRET);
    expect(message).not.toContain('hunter2');
  });
});
