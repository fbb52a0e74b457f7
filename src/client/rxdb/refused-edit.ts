import type { ToldFate } from '../glue-gateway.js';

/** An edit that came to its end without being applied. The document shows the record as it now stands; this is what it showed. */
export interface RefusedEdit {
  readonly collection: string;
  /** The document's id. */
  readonly id: string;
  readonly changeId: string;
  /**
   * UNANSWERED: it was sent, or may have been, under a device id that is no more (`onEvicted`), and whether it took effect nobody can tell any
   * more. It is not sent again (F11); to make it once more may apply it twice: show it to its user before.
   */
  readonly status: 'CONFLICT' | 'REJECTED' | 'UNANSWERED';
  readonly error: ToldFate['error'];
  /** The document as it was pushed; null where the refusal came by a receipt, after a restart of the app. */
  readonly edit: Readonly<Record<string, unknown>> | null;
}
