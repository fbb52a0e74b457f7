import type { OutboxEntry } from 'tidegate/client';
import { element } from './element.js';

/** What a nurse decides of an edit that was refused. */
export interface FateActions {
  /** Makes a refused edit once more, from the visit as it is now. */
  keepMine(changeId: string): Promise<void>;
  takeTheirs(changeId: string): Promise<void>;
}

/** The fates of edits, as a person is told them. */
export interface Fates {
  readonly place: HTMLElement;
  show(edits: readonly OutboxEntry[]): void;
}

interface Told {
  readonly says: string;
  readonly panel: HTMLElement;
}

/** A person has to be told of it, and decides. */
export function needsSomebody({ status }: OutboxEntry): boolean {
  return status === 'CONFLICT' || status === 'REJECTED' || status === 'UNANSWERED';
}

/**
 * What did not change is not touched: it keeps the focus, and a screen reader does not read it again.
 *
 * @param left the fate that had the focus is gone: where the focus goes instead
 */
export function createFates(actions: FateActions, left: () => void): Fates {
  const place = element('div', { class: 'fates', 'aria-live': 'polite' });
  const told = new Map<string, Told>();

  function drop(changeId: string): void {
    const panel = told.get(changeId)?.panel;
    const hadFocus = panel?.contains(document.activeElement) ?? false;
    panel?.remove();
    told.delete(changeId);
    if (hadFocus) left();
  }

  return {
    place,
    show(edits) {
      const open = edits.filter(needsSomebody);
      for (const changeId of told.keys()) if (!open.some((edit) => edit.changeId === changeId)) drop(changeId);
      for (const edit of open) {
        const says = JSON.stringify([edit.status, edit.conflict, edit.error]);
        if (told.get(edit.changeId)?.says === says) continue;
        drop(edit.changeId);
        const panel = panelOf(edit, actions);
        told.set(edit.changeId, { says, panel });
        place.append(panel);
      }
    },
  };
}

function panelOf(edit: OutboxEntry, actions: FateActions): HTMLElement {
  const { changeId, status, conflict, error } = edit;
  if (status !== 'CONFLICT') {
    const why = status === 'UNANSWERED' ? 'nobody can tell whether it took effect' : (error?.message ?? 'refused');
    return element(
      'div',
      { class: 'conflict' },
      element('p', {}, `Not saved: ${why}`),
      button('Let go of it', () => actions.takeTheirs(changeId)),
    );
  }
  const compared = (conflict?.fields ?? []).map((field) =>
    element(
      'p',
      {},
      element('b', {}, field),
      ` · yours: “${textOf(conflict?.yours?.[field])}” · the clinic’s: “${textOf(conflict?.theirs?.json?.[field])}”`,
    ),
  );
  return element(
    'div',
    { class: 'conflict' },
    element('p', {}, 'You and the clinic changed the same.'),
    ...compared,
    button('Keep mine', () => actions.keepMine(changeId)),
    button('Take theirs', () => actions.takeTheirs(changeId)),
  );
}

function button(text: string, press: () => Promise<void>): HTMLButtonElement {
  const made = element('button', { type: 'button' }, text);
  made.addEventListener('click', () => void press());
  return made;
}

function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
}
