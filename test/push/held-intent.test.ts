import type { OpenState } from '../../src/core/intent.js';
import type { RecordView } from '../../src/core/record-port.js';
import { isItsTurn } from '../../src/push/held-intent.js';

/** An intent of a lane; `forgotten`: in doubt since a restore, and nobody remembers a call of it. */
type Kind = OpenState | 'forgotten';

/** Whose turn it is, by place. */
function turnIn(...kinds: readonly Kind[]): readonly number[] {
  const intents = kinds.map((kind, at) => ({
    intentNo: 10 + at,
    state: kind === 'forgotten' ? 'IN_DOUBT' : kind,
    payload: kind === 'forgotten' || kind === 'PENDING' ? null : '{}',
  }));
  const view = { intents } as unknown as RecordView;
  return intents.flatMap((one, at) => (isItsTurn(view, one) ? [at] : []));
}

describe('R8: whose turn it is in a lane', () => {
  const lanes: readonly (readonly [string, readonly Kind[], number])[] = [
    ['the first one’s', ['PENDING', 'PENDING'], 0],
    ['the first one’s, whatever became of it', ['PARKED', 'PENDING'], 0],
    ['what was called for, before what came with an alias (F9)', ['PENDING', 'SENT', 'PENDING'], 1],
    ['what is in doubt, before what came with an alias (F9)', ['PENDING', 'IN_DOUBT'], 1],
    ['what is parked, before what came with an alias (F9)', ['PENDING', 'PENDING', 'PARKED'], 2],
    ['the first one’s, before what nobody remembers a call of (F5)', ['PENDING', 'forgotten'], 0],
    ['what nobody remembers a call of, in its place (F5)', ['forgotten', 'PENDING'], 0],
    ['what is parked, before what nobody remembers a call of (F5)', ['forgotten', 'PARKED'], 1],
  ];
  test.each(lanes)('%s', (_whose, lane, expected) => {
    expect(turnIn(...lane)).toEqual([expected]);
  });

  test('nobody’s where it is not open any more', () => {
    expect(turnIn()).toEqual([]);
  });
});
