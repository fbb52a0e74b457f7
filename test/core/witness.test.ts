import type { Epoch, Seq } from '../../src/core/change.js';
import { restoreProof, seenAfter, type FoundFeed, type SeenFeed } from '../../src/core/witness.js';

const SEEN: SeenFeed = { epochNo: 2, head: 100 as Seq, identity: 'a', position: 5_000 };
const FOUND: FoundFeed = { ...SEEN, tenant: 'clinic', epoch: 'abcdefgh' as Epoch, notedIdentity: 'a' };

describe('F5: what proves that a feed was restored', () => {
  const cases: readonly (readonly [string, Partial<FoundFeed>, SeenFeed | undefined, string | null])[] = [
    ['nothing that is as it was seen', {}, SEEN, null],
    ['nothing that has grown', { head: 101 as Seq, position: 5_001 }, SEEN, null],
    ['nothing where nothing was seen', { head: 1 as Seq, position: 1 }, undefined, null],
    ['another database than the one noted', { identity: 'b' }, undefined, 'another database'],
    ['another database than the one seen', { identity: 'b', notedIdentity: 'b' }, SEEN, 'another database'],
    ['a head that is lower', { head: 99 as Seq }, SEEN, 'an older head'],
    ['a log that is shorter', { position: 4_999 }, SEEN, 'an older log'],
    ['a lower head of an earlier epoch', { epochNo: 1, head: 99 as Seq }, SEEN, 'an older head'],
    ['nothing once a later epoch has begun', { epochNo: 3, head: 1 as Seq, position: 1 }, SEEN, null],
    ['not a server that does not tell its identity', { identity: null }, SEEN, null],
    ['not a log that is not told', { position: null }, SEEN, null],
    ['not what was never noted', { notedIdentity: null }, SEEN, null],
  ];
  test.each(cases)('%s', (_what, found, seen, proof) => {
    expect(restoreProof({ ...FOUND, ...found }, seen)).toBe(proof);
  });
});

describe('F5: what is seen', () => {
  test('grows, in whatever order looks come', () => {
    const looks = [{ head: 103 }, { position: 6_000 }, { head: 101 }].map((one) => ({ ...FOUND, ...one }) as FoundFeed);
    const expected = { epochNo: 2, head: 103, identity: 'a', position: 6_000 };
    expect(looks.reduce(seenAfter, SEEN)).toEqual(expected);
    expect(looks.toReversed().reduce(seenAfter, SEEN)).toEqual(expected);
  });

  test('begins anew with a later epoch, and a look from before it changes nothing', () => {
    const later = { ...FOUND, epochNo: 3, head: 50 as Seq, position: 10 };
    const seen = seenAfter(SEEN, later);
    expect(seen).toEqual({ epochNo: 3, head: 50, identity: 'a', position: 10 });
    expect(seenAfter(seen, FOUND)).toBe(seen);
  });
});
