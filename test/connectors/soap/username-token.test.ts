import { createHash } from 'node:crypto';
import { rest } from '../../../src/connectors/rest.js';
import { soap, usernameToken, type UsernameTokenOptions } from '../../../src/connectors/soap.js';
import type { SourceKey } from '../../../src/core/change.js';
import type { SourceCollection } from '../../../src/core/source-port.js';
import {
  answered,
  enveloped,
  faulted,
  notesWsdl,
  RETITLED,
  startNotes,
  type NotesSource,
  type Reply,
} from './notes-source.js';

const signal = new AbortController().signal;
const WSSE = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd';
const WSU = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd';
const PASSWORD = 'pass<word> & more';
const found: Reply = { body: answered('GetNote', '<note><id>7</id></note>') };

let notes: NotesSource;
beforeEach(async () => {
  notes = await startNotes();
  notes.answer = () => found;
});
afterEach(() => notes.close());

const read = (collection: SourceCollection) => collection.readOne('7' as SourceKey, signal);

function open(options: UsernameTokenOptions = {}): SourceCollection {
  return notes.open({ transport: { auth: usernameToken('gate', PASSWORD, options) }, update: { sends: 'mapped' } });
}

/** The header of the last request: one text per element. */
function header(): Readonly<Record<string, string>> {
  const text = /<s:Header>(.*)<\/s:Header>/.exec(notes.asked.at(-1)?.body ?? '')?.[1] ?? '';
  return Object.fromEntries(
    [...text.matchAll(/<ws\w+:(\w+)[^>]*>([^<]*)<\//g)].map(([, name = '', held = '']) => [name, held]),
  );
}

describe('a UsernameToken', () => {
  test('has user, password, nonce and time, and must be understood', async () => {
    await read(open());
    expect(header()).toEqual({
      Username: 'gate',
      Password: 'pass&lt;word&gt; &amp; more',
      Nonce: expect.stringMatching(/^[\w+/]{22}==$/) as string,
      Created: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
    });
    const { body } = notes.asked.at(-1) ?? { body: '' };
    expect(body).toContain('<wsse:Security xmlns:wsse="' + WSSE + '" xmlns:wsu="' + WSU + '" s:mustUnderstand="1">');
    expect(body).toContain('profile-1.0#PasswordText"');
  });

  test('as a digest shows no password, and is another one for each call', async () => {
    const collection = open({ digest: true });
    await read(collection);
    const first = header();
    await read(collection);
    const second = header();
    expect(second['Nonce']).not.toBe(first['Nonce']);
    for (const { Nonce = '', Created = '', Password } of [first, second]) {
      const hashed = Buffer.concat([Buffer.from(Nonce, 'base64'), Buffer.from(Created + PASSWORD)]);
      expect(Password).toBe(createHash('sha1').update(hashed).digest('base64'));
    }
    expect(notes.asked.at(-1)?.body).toContain('profile-1.0#PasswordDigest"');
    expect(notes.asked.map(({ body }) => body).join('')).not.toMatch(/pass(<|&lt;)word/);
  });

  test('may have a Timestamp beside it, of the same clock', async () => {
    await read(open({ expiresAfter: '5m' }));
    const { Created = '', Expires = '' } = header();
    expect(Date.parse(Expires) - Date.parse(Created)).toBe(300_000);
  });

  test('says by SOAP 1.2 that it must be understood in the words of that', async () => {
    notes.wsdl = () => ({ body: notesWsdl({ version: '1.2' }) });
    notes.answer = () => ({ body: answered('GetNote', '<note><id>7</id></note>', '1.2') });
    await read(open());
    expect(notes.asked.at(-1)?.body).toContain('s:mustUnderstand="true"');
  });

  test('is not shown where the WSDL is asked for, and is in no error', async () => {
    notes.answer = () => ({
      status: 500,
      body: faulted('S:Client', `no user gate with ${PASSWORD.replace('&', '&amp;').replace('<', '&lt;')}`),
    });
    const outcome = await open().write(RETITLED, signal);
    expect(outcome).toMatchObject({ kind: 'refused', message: 'no user gate with [hidden]' });
    expect(JSON.stringify(notes.asked[0])).not.toContain('Security');
  });

  test.each<readonly [string, object, string]>([
    ['no user', { user: '' }, '.auth.user: expected a text, got ""'],
    [
      'a password that XML has no words for',
      { password: 'bell \u0007' },
      '.auth.password: expected a text that XML can carry, got another text',
    ],
    [
      'a time that is none',
      { options: { expiresAfter: 'soon' } },
      '.auth.expiresAfter: expected a duration like "5m", at least a second, got another text',
    ],
    ['what it does not know', { options: { sha256: true } }, '.auth.sha256: expected no such key'],
  ])('with %s is refused at definition', (_what, wrong, misfit) => {
    const auth = { ...usernameToken('gate', PASSWORD), ...wrong };
    expect(soap({ wsdl: 'a.wsdl', endpoint: 'http://a.example', auth }).misfits).toEqual([misfit]);
  });

  test('is none of REST', () => {
    const auth = usernameToken('gate', PASSWORD) as never;
    expect(rest({ baseUrl: 'http://a.example', auth }).misfits[0]).toContain('.auth: expected basic(…)');
  });
});

describe('a fault of WS-Security', () => {
  const fault = (code: string, at = WSSE): string =>
    faulted(`w:${code}`, 'not you').replace('<S:Fault>', `<S:Fault xmlns:w="${at}">`);

  test.each([['FailedAuthentication'], ['InvalidSecurity'], ['InvalidSecurityToken'], ['UnsupportedSecurityToken']])(
    'R11: %s says that nothing was done',
    async (code) => {
      notes.answer = () => ({ status: 500, body: fault(code) });
      expect(await open().write(RETITLED, signal)).toMatchObject({
        kind: 'notSent',
        reason: `office.notes write.update: it refuses our credentials (${code}): not you`,
      });
    },
  );

  test('R11: counts as a subcode of SOAP 1.2, too, where it would be the request that is refused', async () => {
    notes.wsdl = () => ({ body: notesWsdl({ version: '1.2' }) });
    const code = `<S:Value>S:Sender</S:Value><S:Subcode><S:Value xmlns:w="${WSSE}">w:FailedAuthentication</S:Value></S:Subcode>`;
    notes.answer = () => ({
      status: 400,
      body: enveloped(`<S:Fault><S:Code>${code}</S:Code><S:Reason/></S:Fault>`, '1.2'),
    });
    expect(await open().write(RETITLED, signal)).toMatchObject({ kind: 'notSent' });
  });

  test('R11: of the same name in another namespace is not one', async () => {
    notes.answer = () => ({ status: 500, body: fault('InvalidSecurity', 'urn:stock-exchange') });
    expect(await open().write(RETITLED, signal)).toMatchObject({ kind: 'unknown' });
  });

  test.each([
    [WSU, -90_000, /expected clocks that agree \(ours is 9[01] s ahead of its\): not you$/],
    [WSSE, 3_600_000, /expected clocks that agree \(ours is (3600|3599) s behind its\): not you$/],
    [WSSE, 0, /expected clocks that agree: not you$/],
  ])('MessageExpired (%s, %i ms) tells how the clocks differ', async (at, byMs, told) => {
    const date = new Date(notes.nowMs() + byMs).toUTCString();
    notes.answer = () => ({ status: 500, headers: { date }, body: fault('MessageExpired', at) });
    const outcome = await open().write(RETITLED, signal);
    expect(outcome).toMatchObject({ kind: 'notSent', reason: expect.stringMatching(told) as string });
  });
});
