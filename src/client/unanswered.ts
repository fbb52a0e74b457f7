import type { ChangeError } from '../core/errors.js';

/** What an app is told of an edit that was sent under a device id that is no more, in the words of the gateway's catalogue (F11). */
export const UNANSWERED_ERROR: ChangeError = {
  code: 'DEVICE_EVICTED',
  message: 'it may have been sent under a device id that is no more: nobody could tell a repeat',
  field: null,
  retryable: false,
};
