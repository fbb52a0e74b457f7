import { createServer } from 'node:http';
import { isIP, type AddressInfo, type LookupFunction } from 'node:net';
import { openHttp, readAll } from '../../src/connectors/http-client.js';
import { checkAnswered, lookupOf, type NamedBy } from '../../src/outgoing/reach.js';
import fc from '../support/properties.js';

/** A resolver that answers with these for any name. */
function resolver(found: readonly string[]): LookupFunction {
  return (_name, _options, callback) => {
    callback(
      null,
      found.map((address) => ({ address, family: isIP(address) })),
    );
  };
}

/** The addresses that may be connected to, or what is wrong with them. */
function found(namedBy: NamedBy, addresses: readonly string[], name = 'api.example.com'): Promise<unknown> {
  return new Promise((resolve) =>
    lookupOf(namedBy, resolver(addresses))(name, { all: true }, (fault, list) =>
      resolve(fault === null ? list : fault.message),
    ),
  );
}

const OWN = ['127.0.0.1', '127.9.9.9', '0.0.0.0', '169.254.169.254', '::1', '::', '::ffff:127.0.0.1', 'fe80::1'];
const INTERNAL = [
  '10.0.0.5',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  'fd12::1',
  '::ffff:10.0.0.5',
  '64:ff9b::a00:5',
];
const PUBLIC = ['93.184.216.34', '8.8.8.8', '2606:2800:220:1::1'];

describe('attack 28: a name', () => {
  test.each(OWN)('that stands for %s, of this machine, is refused whoever named it', async (address) => {
    expect(await found('answer', [address])).toContain('expected a public address');
    expect(await found('configuration', [address])).toContain('have the address itself in the configuration');
  });

  test.each(INTERNAL)(
    'that stands for %s is refused in an answer, and is a source of ours in the configuration',
    async (address) => {
      expect(await found('answer', [address])).toContain('expected a public address');
      expect(await found('configuration', [address])).toMatchObject([{ address }]);
    },
  );

  test.each(PUBLIC)('that stands for %s is taken', async (address) => {
    expect(await found('answer', [address])).toMatchObject([{ address }]);
  });

  test('of which one address is refused is refused', async () => {
    expect(await found('answer', ['93.184.216.34', '127.0.0.1'])).toContain('127.0.0.1');
  });

  test('like localhost may be in the configuration', async () => {
    expect(await found('configuration', ['127.0.0.1'], 'localhost')).toMatchObject([{ address: '127.0.0.1' }]);
    expect(await found('answer', ['127.0.0.1'], 'localhost')).toContain('expected a public address');
  });

  test('that cannot be resolved is what it was', async () => {
    const absent: LookupFunction = (_name, _options, callback) => callback(new Error('ENOTFOUND'), '', 0);
    await expect(
      new Promise((resolve, reject) =>
        lookupOf('answer', absent)('x', {}, (fault) => (fault ? reject(fault) : resolve(1))),
      ),
    ).rejects.toThrow('ENOTFOUND');
  });
});

describe('attack 28: an address in figures', () => {
  test.each([
    'http://127.0.0.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://017700000001/',
    'http://127.1/',
    'http://0/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://10.0.0.5/',
    'http://localhost/',
    'http://LOCALHOST/',
  ])('%s is refused in an answer', (address) => {
    expect(() => checkAnswered(new URL(address))).toThrow('expected a public address');
  });

  test('for all of IPv4: is refused in every way to write it, or in none', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (number) => {
        const isRefused = (address: string): boolean => {
          try {
            checkAnswered(new URL(address));
            return false;
          } catch {
            return true;
          }
        };
        const usual = new URL(`http://${number}/`).hostname;
        const forms = [`http://${usual}/`, `http://0x${number.toString(16)}/`, `http://[::ffff:${usual}]/`];
        expect(new Set(forms.map(isRefused)).size).toBe(1);
      }),
    );
  });
});

describe('attack 28: a connection', () => {
  const limits = { connections: 1, connectTimeoutMs: 2_000, maxAnswerBytes: 1_000 };
  const get = { method: 'GET', path: '/', headers: {}, body: null } as const;

  test('goes to the address that was checked: a name that is rebound to this machine meanwhile is refused, and nothing is asked of it', async () => {
    let asked = 0;
    const inside = createServer((_request, response) => {
      asked += 1;
      response.end('secret');
    });
    await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve));
    const { port } = inside.address() as AddressInfo;
    const resolve = resolver(['127.0.0.1']);
    for (const namedBy of ['configuration', 'answer'] as const) {
      const http = openHttp(`http://rebound.example:${port}`, limits, () => undefined, { namedBy, resolve });
      await expect(
        http.exchange(get, new AbortController().signal, (_head, chunks) => readAll(chunks)),
      ).rejects.toMatchObject({ kind: 'notSent', message: expect.stringContaining('EREFUSEDADDRESS') });
      await http.close();
    }
    expect(asked).toBe(0);
    const meant = openHttp(`http://127.0.0.1:${port}`, limits, () => undefined, { resolve });
    expect(String(await meant.exchange(get, new AbortController().signal, (_head, chunks) => readAll(chunks)))).toBe(
      'secret',
    );
    await meant.close();
    await new Promise((done) => inside.close(done));
  });
});
