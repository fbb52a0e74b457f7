import type { SentChange } from '../../src/client/gateway.js';
import { MARK, markOfEdit, type MarkedDocument } from '../../src/client/rxdb/mark.js';
import { createSentEdits, type NextEdit, type SentEdits } from '../../src/client/rxdb/sent-edits.js';

const ID = 'V-1';
const HERE: MarkedDocument = { id: ID, note: 'ring', minutes: 10, tidegate: { version: 'e.1', lineage: 1 } };

/** The app edits a document, in a run of its own or in the same. */
function edit(sent: SentEdits, before: MarkedDocument, changeId: string, fields: object): MarkedDocument {
  const stamp = { changeId, changedAt: '2026-01-01T08:00:00.000Z', epoch: 'e' };
  const after = { ...before, ...fields };
  const mark = markOfEdit({ primary: 'id', before, after }, stamp, sent.below(before, changeId));
  return { ...after, [MARK]: mark };
}

const open = (): SentEdits => createSentEdits('visits', 'id');
const row = (newDocumentState: MarkedDocument) => ({ assumedMasterState: HERE, newDocumentState });
const next = (sent: SentEdits, document: MarkedDocument): NextEdit => sent.next(row(document)) as NextEdit;
const told = ({ changeId, json }: SentChange): unknown => [changeId, json];

describe('what is sent of a document that RxDB pushes as one row', () => {
  test('edits that nobody sent go out as one', () => {
    const sent = open();
    const first = edit(sent, HERE, 'a', { note: 'ring twice' });
    const second = edit(sent, edit(sent, first, 'b', { minutes: 5 }), 'c', { note: 'knock' });
    expect(second[MARK]).not.toHaveProperty('earlier');
    expect(told(next(sent, second).change)).toEqual(['c', { note: 'knock', minutes: 5 }]);
  });

  test('an edit that is taken into one on top of it is not sent while that is being written, and is where that fails', () => {
    const sent = open();
    const first = edit(sent, HERE, 'a', { note: 'ring twice' });
    edit(sent, first, 'b', { minutes: 5 });
    expect(sent.next(row(first))).toBe('notNow');
    // Its push failed: still not.
    expect(sent.next(row(first))).toBe('notNow');
    sent.comesAgain(row(first));
    expect(told(next(sent, first).change)).toEqual(['a', { note: 'ring twice' }]);
    // The edit is written after all, on top of what was sent now.
    const second = edit(sent, first, 'b', { minutes: 5 });
    sent.answered(ID, 'a', true);
    expect(told(next(sent, second).change)).toEqual(['b', { minutes: 5 }]);
  });

  test('R7: one without an answer goes out before the edit on top of it, to the letter, and once more only after it', () => {
    const sent = open();
    const first = edit(sent, HERE, 'a', { note: 'ring twice' });
    const { change } = next(sent, first);
    const second = edit(sent, first, 'b', { note: 'knock' });
    expect(next(sent, second)).toMatchObject({ change, isEarlier: true });
    expect(next(sent, second)).toMatchObject({ change, isEarlier: true });
    sent.answered(ID, 'a', true);
    expect([next(sent, second).isEarlier, told(next(sent, second).change)]).toEqual([false, ['b', { note: 'knock' }]]);
  });

  test('R7: the same after a restart, over several of them, whatever was answered in between', () => {
    const [first, second, third] = [open(), open(), open()];
    const a = edit(first, HERE, 'a', { note: 'ring twice' });
    const sentA = next(first, a).change;
    const b = edit(first, a, 'b', { minutes: 5 });
    const c = edit(second, b, 'c', { note: 'knock' });
    expect(next(third, c)).toMatchObject({ change: sentA, isEarlier: true });
    third.answered(ID, 'a', true);
    expect(told(next(third, c).change)).toEqual(['b', { minutes: 5 }]);
    third.answered(ID, 'b', true);
    const d = edit(third, c, 'd', { minutes: 6 });
    // Nobody knows whether it was sent by an earlier run of the app.
    expect(told(next(third, d).change)).toEqual(['c', { note: 'knock' }]);
    third.answered(ID, 'c', true);
    expect(told(next(third, d).change)).toEqual(['d', { minutes: 6 }]);
  });

  test('a repeat says the same as the first time, also when another edit was made since', () => {
    const sent = open();
    const first = edit(sent, HERE, 'a', { note: 'ring twice' });
    next(sent, first);
    sent.answered(ID, 'a', true);
    const second = edit(sent, first, 'b', { minutes: 5 });
    const { change } = next(sent, second);
    edit(sent, second, 'c', { note: 'knock' });
    expect(next(sent, second).change).toEqual(change);
  });

  test('one that the gateway did not take is taken into the edit on top of it', () => {
    const sent = open();
    const first = edit(sent, HERE, 'a', { note: 'ring twice' });
    next(sent, first);
    sent.notTaken(row(first), 'a');
    const second = edit(sent, first, 'b', { minutes: 5 });
    expect(sent.next(row(first))).toBe('notNow');
    expect(told(next(sent, second).change)).toEqual(['b', { note: 'ring twice', minutes: 5 }]);
    sent.answered(ID, 'b', true);
    const third = edit(sent, second, 'c', { note: 'knock' });
    next(sent, third);
    sent.notTaken(row(third), 'c');
    expect(told(next(sent, third).change)).toEqual(['c', { note: 'knock' }]);
    sent.notTaken(row(third), 'c');
    const fourth = edit(sent, third, 'd', { minutes: 6 });
    expect(told(next(sent, fourth).change)).toEqual(['d', { note: 'knock', minutes: 6 }]);
  });

  test('nor is one lost that was not taken, where others on top of it may have been sent', () => {
    const sent = open();
    const first = edit(sent, HERE, 'a', { note: 'ring twice' });
    next(sent, first);
    const second = edit(sent, first, 'b', { minutes: 5 });
    next(sent, second);
    sent.notTaken(row(second), 'a');
    expect(told(next(sent, second).change)).toEqual(['b', { note: 'ring twice', minutes: 5 }]);

    const [restarted, again] = [open(), open()];
    const third = edit(restarted, edit(restarted, first, 'b', { minutes: 5 }), 'c', { minutes: 6 });
    const fourth = edit(again, third, 'd', { note: 'knock' });
    expect(told(next(again, fourth).change)).toEqual(['a', { note: 'ring twice' }]);
    again.notTaken(row(fourth), 'a');
    expect(told(next(again, fourth).change)).toEqual(['a', { note: 'ring twice' }]);
  });

  test('F22: a field that is edited back to what it was is said again', () => {
    const sent = open();
    const first = edit(sent, HERE, 'a', { note: 'ring twice' });
    next(sent, first);
    sent.answered(ID, 'a', true);
    expect(told(next(sent, edit(sent, first, 'b', { note: 'ring' })).change)).toEqual(['b', { note: 'ring' }]);
  });

  test('an edit of a record that came anew is made on top of nothing', () => {
    const sent = open();
    next(sent, edit(sent, HERE, 'a', { note: 'ring twice' }));
    sent.answered(ID, 'a', false);
    // Refused: the record stands as before, in the same version.
    expect(told(next(sent, edit(sent, HERE, 'b', { note: 'ring twice' })).change)).toEqual([
      'b',
      { note: 'ring twice' },
    ]);
  });

  test('what an edit of another tab is made on top of is known to the tab that sends', () => {
    const [here, there] = [open(), open()];
    const first = edit(there, HERE, 'a', { note: 'ring twice' });
    const { change } = next(here, first);
    const second = edit(there, first, 'b', { minutes: 5 });
    expect(next(here, second)).toMatchObject({ change, isEarlier: true });
    here.answered(ID, 'a', true);
    for (const _repeat of [false, true]) expect(told(next(here, second).change)).toEqual(['b', { minutes: 5 }]);
  });

  test('what was written past the hooks is said whole, and named by what it says', () => {
    const sent = open();
    const imported = { id: ID, note: 'ring', minutes: 10 };
    const edited = edit(sent, imported, 'b', { minutes: 5 });
    expect(sent.next({ newDocumentState: imported })).toMatchObject({
      change: { json: { note: 'ring', minutes: 10 } },
    });
    expect(sent.next({ newDocumentState: edited })).toMatchObject({
      change: { changeId: 'b', json: { note: 'ring', minutes: 5 } },
    });
  });
});
