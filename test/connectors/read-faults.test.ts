import {
  absent,
  fine,
  notProcessed,
  refused,
  stale,
  unknownOutcome,
  type Classification,
} from '../../src/connectors/define.js';
import type { SourceKey } from '../../src/core/change.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { scanned, startScripted, type Reply, type ScriptedSource } from './scripted-source.js';

// What a connector says of an answer counts for reads as it does for writes, whatever the status is.

const NEVER = new AbortController().signal;
const ERROR_IN_SUCCESS: Reply = { rows: { error: 'locked' } };

let source: ScriptedSource;
beforeEach(async () => (source = await startScripted()));
afterEach(() => source.close());

function open(meaning: Classification): SourceCollection {
  return source.open(undefined, {}, { classify: () => meaning })[0] as SourceCollection;
}

test.each<readonly [string, Classification, Reply, RegExp, number]>([
  ['not processed: three times', notProcessed('busy', 0), ERROR_IN_SUCCESS, /busy/, 3],
  ['not processed, without a pause: once', notProcessed('closed'), ERROR_IN_SUCCESS, /closed/, 1],
  ['not processed for long: once', notProcessed('busy', 60_000), ERROR_IN_SUCCESS, /busy/, 1],
  ['in doubt: three times', unknownOutcome('locked'), ERROR_IN_SUCCESS, /locked/, 3],
  ['refused: once, also with the status of a fault', refused('not yours'), { status: 500 }, /it says 500/, 1],
  ['stale: once', stale(), ERROR_IN_SUCCESS, /it says 200/, 1],
  ['fine, and is no list: once', fine(), ERROR_IN_SUCCESS, /expected a list/, 1],
])('a read whose answer is %s', async (_what, meaning, reply, message, times) => {
  source.answer = () => reply;
  await expect(scanned(open(meaning))).rejects.toThrow(message);
  expect(source.asked).toHaveLength(times);
});

test('a record is absent where the connector says so of a success', async () => {
  source.answer = () => ERROR_IN_SUCCESS;
  expect(await open(absent()).readOne('V-1' as SourceKey, NEVER)).toBe('absent');
});

test('a source is down after answers that its connector calls doubtful, and not after refusals', async () => {
  source.answer = () => ERROR_IN_SUCCESS;
  const doubtful = open(unknownOutcome('locked'));
  await expect(scanned(doubtful)).rejects.toThrow();
  expect(doubtful.isDown()).toBe(true);
  source.answer = () => ({ status: 500 });
  const refusing = open(refused('not yours'));
  for (let read = 0; read < 4; read++) await expect(scanned(refusing)).rejects.toThrow();
  expect(refusing.isDown()).toBe(false);
});

test('a pause that the connector tells of is kept', async () => {
  source.answer = () => ERROR_IN_SUCCESS;
  const visits = open(notProcessed('busy', 60_000));
  await expect(scanned(visits)).rejects.toThrow('busy');
  await expect(scanned(visits)).rejects.toThrow('it asked for a pause');
  expect(source.asked).toHaveLength(1);
  source.advance(60_000);
  expect(visits.isDown()).toBe(false);
});
