import {
  changeNumber,
  defineConnector,
  deletesByFlag,
  field,
  link,
  nextUrl,
  page,
  token,
  type ConnectorDefinition,
} from '../../src/connectors/define.js';
import { get, rest } from '../../src/connectors/rest.js';
import { call, soap } from '../../src/connectors/soap.js';

// What a connector says of its reads must go together; each line names key, what was expected and what came.

const SHAPE = { type: 'Visit', key: 'id', fields: { note: field.string() } } as const;
const ONE = get('/v/{key}');

function linesOf(definition: object): readonly string[] {
  try {
    defineConnector(definition as ConnectorDefinition);
    return [];
  } catch (thrown) {
    return (thrown as Error).message.split('\n');
  }
}

/** Deliberately not typed: the check is for those who write plain JavaScript, too. */
function restLines(read: object): readonly string[] {
  const transport = rest({ baseUrl: 'http://clinic.example' });
  return linesOf({ source: 'clinic', transport, collections: { visits: { ...SHAPE, read } } });
}

function soapLines(read: object): readonly string[] {
  const transport = soap({ wsdl: 'a.wsdl', endpoint: 'http://a.example' });
  return linesOf({ source: 'clinic', transport, collections: { visits: { ...SHAPE, read } } });
}

const LINKED = get('/v', { deltaLink: '@odata.deltaLink', paging: nextUrl({ from: '@odata.nextLink' }) });
const TOKENS = get('/v', { deltaToken: 'sync', paging: token({ in: 'page', from: 'next' }) });
const REPLAYABLE = { replayable: true } as const;
const REMOVED = { member: '@removed' };
const SINCE = { param: 'since', precision: '1s', inclusive: true, ordered: true, maxTransaction: '5s' } as const;

const LOG = { kind: 'log', list: get('/deleted'), since: SINCE, keepsFor: '30d', every: '1d' } as const;

test('facts that go together are taken as they are', () => {
  expect(restLines({ list: LINKED, one: ONE, delta: { ...REPLAYABLE, removed: REMOVED } })).toEqual([]);
  expect(restLines({ list: LINKED, delta: REPLAYABLE })).toEqual([]);
  expect(restLines({ list: get('/v'), delta: { list: LINKED, removed: REMOVED, replayable: false } })).toEqual([]);
  const numbers = { param: 'after', member: 'rev', inclusive: false, form: 'hex', longestTransaction: '30s' } as const;
  expect(restLines({ list: get('/v'), changes: changeNumber(numbers) })).toEqual([]);
  const cancelled = { member: 'status', value: 'cancelled' };
  const delta = { param: 'syncToken', removed: cancelled, replayable: true, expiredOn: [404] };
  expect(restLines({ list: TOKENS, one: ONE, delta })).toEqual([]);
  const deletes = deletesByFlag({ member: 'gone' });
  expect(restLines({ list: LINKED, delta: { ...REPLAYABLE, removed: REMOVED }, deletes })).toEqual([]);
  expect(restLines({ list: get('/v'), one: ONE, changes: SINCE, deletes: LOG })).toEqual([]);
  expect(restLines({ list: LINKED, one: ONE, delta: REPLAYABLE, deletes: LOG })).toEqual([]);
  expect(restLines({ list: get('/v'), changes: SINCE, deletes: { ...LOG, comesBack: false } })).toEqual([]);
  const list = call('List', { rows: 'v', deltaToken: 'sync', paging: token({ in: 'page', from: 'next' }) });
  expect(soapLines({ list, one: call('Get', { keyIn: 'id' }), delta: { param: 'since', ...REPLAYABLE } })).toEqual([]);
});

test.each<readonly [string, readonly string[], string]>([
  [
    'a list of keys without what shows their records',
    restLines({ list: get('/v'), listed: 'keys' }),
    "visits.read.one: expected it beside listed: 'keys', since it is what shows the records, got nothing",
  ],
  [
    'a list of something else',
    restLines({ list: get('/v'), one: ONE, listed: 'ids' }),
    'visits.read.listed: expected one of "records"|"keys", got "ids"',
  ],
  [
    'a log beside nothing that says what changed',
    restLines({ list: get('/v'), one: ONE, deletes: LOG }),
    'visits.read.deletes: expected read.changes or read.delta beside a log, since each poll without them reads the whole list, got neither',
  ],
  [
    'a log beside a delta that tells deletions',
    restLines({ list: LINKED, one: ONE, delta: { ...REPLAYABLE, removed: REMOVED }, deletes: LOG }),
    'visits.read.deletes: expected no log beside a read.delta that says what is gone, got both',
  ],
  [
    'a log whose entries cannot be looked at',
    restLines({ list: get('/v'), changes: SINCE, deletes: LOG }),
    'visits.read.one: expected it, or comesBack: false in read.deletes, since the record of an entry may be there again, got neither',
  ],
  [
    'a log of which nothing that was held is found again',
    restLines({ list: get('/v', { paging: link() }), changes: SINCE, deletes: { ...LOG, comesBack: false } }),
    'visits.read.one: expected it, or a list whose scan proves what is gone (whole, keyset, offset with overlap), since a deletion ' +
      'that is held is found again only by one of them, got a list by link',
  ],
  [
    'a log that forgets between two polls',
    restLines({ list: get('/v'), one: ONE, changes: SINCE, deletes: { ...LOG, keepsFor: '1m' } }),
    'visits.read.deletes.keepsFor: expected at least 100000 ms, the time of 20 polls, got "1m"',
  ],
  [
    'a log by numbers that does not say how late they come',
    restLines({
      list: get('/v'),
      one: ONE,
      changes: SINCE,
      deletes: { ...LOG, since: { kind: 'number', param: 'after', member: 'seq', inclusive: true } },
    }),
    'visits.read.deletes.since: expected gap or longestTransaction, which say how late a change may become visible (0, if numbers are ' +
      'given out in the order in which changes do), got neither',
  ],
  [
    'a log that does not say how long it keeps entries',
    restLines({ list: get('/v'), one: ONE, changes: SINCE, deletes: { ...LOG, keepsFor: undefined } }),
    'visits.read.deletes.keepsFor: expected string, got nothing',
  ],
  [
    'a delta whose list says nothing about what comes after',
    restLines({ list: get('/v'), delta: REPLAYABLE }),
    'visits.read.list: expected it to say where its last page has the token or the link (deltaToken, deltaLink), got nothing',
  ],
  [
    'a delta beside a filter',
    restLines({ list: LINKED, changes: SINCE, delta: REPLAYABLE }),
    'visits.read.delta: expected it or read.changes, since one of them says what changed, got both',
  ],
  [
    'a delta that does not say whether it can be asked again',
    restLines({ list: LINKED, delta: {} }),
    'visits.read.delta.replayable: expected boolean, got nothing',
  ],
  [
    'a delta in pages of which the last one is not known',
    restLines({
      list: get('/v', { deltaToken: 'sync', paging: page({ numberIn: 'p', size: 9 }) }),
      delta: { param: 'since', ...REPLAYABLE },
    }),
    'visits.read.list: expected a paging of whole or link or nextUrl or token, whose last page is seen, got page',
  ],
  [
    'a token that no parameter takes',
    restLines({ list: TOKENS, delta: REPLAYABLE }),
    'visits.read.delta.param: expected the parameter that takes the token, got nothing',
  ],
  [
    'a parameter for a link',
    restLines({ list: LINKED, delta: { param: 'since', ...REPLAYABLE } }),
    'visits.read.delta.param: expected none, since a link is followed as it is, got "since"',
  ],
  [
    'a link that is followed by a call with tokens',
    restLines({ list: LINKED, delta: { follow: TOKENS, ...REPLAYABLE } }),
    'visits.read.delta.follow: expected a link like that of read.list, got a token',
  ],
  [
    'a call of another kit',
    restLines({ list: LINKED, delta: { follow: call('Changes'), ...REPLAYABLE } }),
    'visits.read.delta.follow: expected a call of the rest kit, got one of the soap kit',
  ],
  [
    'a status of success that shall mean that a token is over',
    restLines({ list: LINKED, delta: { ...REPLAYABLE, expiredOn: [200] } }),
    'visits.read.delta.expiredOn.0: expected a status of 400 to 599, got 200',
  ],
  [
    'deletions that are told once and cannot be looked at again',
    restLines({ list: LINKED, delta: { ...REPLAYABLE, removed: REMOVED } }),
    'visits.read.one: expected it, or a list whose scan proves what is gone (whole, keyset, offset with overlap), since a deletion that is held is found again only by one of them, got a list by nextUrl',
  ],
  [
    'a number that does not say how late it may come',
    restLines({ list: get('/v'), changes: changeNumber({ param: 'after', member: 'rev', inclusive: false }) }),
    'visits.read.changes: expected gap or longestTransaction, which say how late a change may become visible (0, if numbers are given out in the order in which changes do), got neither',
  ],
  [
    'a gap that is no number of numbers',
    restLines({
      list: get('/v'),
      changes: { kind: 'number', param: 'after', member: 'rev', inclusive: false, gap: -1 },
    }),
    'visits.read.changes.gap: expected a whole number from 0, got -1',
  ],
  [
    'a filter of neither kind',
    restLines({ list: get('/v'), changes: { ...SINCE, kind: 'log' } }),
    'visits.read.changes.kind: expected changeNumber(…), or a filter of time, which needs no kind, got "log"',
  ],
  [
    'a token that comes from nowhere',
    restLines({ list: get('/v', { paging: token({ in: 'page' }) }) }),
    'visits.read.list: expected from or fromHeader, where an answer has the token, got neither',
  ],
  [
    'a token that comes from two places',
    restLines({ list: get('/v', { paging: token({ in: 'page', from: 'next', fromHeader: 'X-Next' }) }) }),
    'visits.read.list: expected from or fromHeader, where an answer has the token, got both',
  ],
  [
    'the header of a SOAP answer',
    soapLines({ list: call('List', { rows: 'v', paging: token({ in: 'page', fromHeader: 'X-Next' }) }) }),
    'visits.read.list: expected from, the element that has the token, got the header "X-Next"',
  ],
  [
    'the address of a SOAP page',
    soapLines({ list: call('List', { rows: 'v', paging: nextUrl({ from: 'next' }) }) }),
    'visits.read.list: expected a paging by arguments, got nextUrl, which SOAP answers do not have',
  ],
  [
    'a page of no rows',
    restLines({ list: get('/v', { paging: link({ size: 0 }) }) }),
    'visits.read.list: expected a page size of at least 1, got 0',
  ],
])('%s is refused at start', (_what, lines, line) => {
  expect(lines).toContain(`connector clinic: ${line}`);
});
