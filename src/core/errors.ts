/**
 * The closed catalogue of error codes that a device or an operator can meet.
 * Codes are added, never renamed or reused: clients branch on them.
 */
interface CatalogueEntry {
  /** May the very same request succeed later without being changed? */
  readonly retryable: boolean;
  /** HTTP status when the whole request fails with it. */
  readonly status: number;
  /** What the caller can do about it, in one sentence. */
  readonly advice: string;
}

export const ERROR_CATALOGUE = {
  BAD_REQUEST: { retryable: false, status: 400, advice: 'Correct the request: the message names what was expected.' },
  BAD_CHECKPOINT: { retryable: false, status: 400, advice: 'Pull again with since: null.' },
  CHECKPOINT_COLLECTIONS: {
    retryable: false,
    status: 400,
    advice: 'Keep one checkpoint per collections list; pull a new list with since: null.',
  },
  LIMIT_EXCEEDED: { retryable: false, status: 400, advice: 'Stay within the limit that the message names.' },
  VALIDATION: { retryable: false, status: 400, advice: 'Correct the field that the error names.' },
  NOT_FOUND: { retryable: false, status: 404, advice: 'The record or the address does not exist for this session.' },
  DEVICE_REQUIRED: { retryable: false, status: 400, advice: 'Send the Tidegate-Device header.' },
  DEVICE_EVICTED: {
    retryable: false,
    status: 410,
    advice: 'Take a new device id, pull with since: null and push what was never sent.',
  },
  DEVICE_REVOKED: {
    retryable: false,
    status: 403,
    advice: 'Wipe what this installation holds: an operator took its rights away for ever.',
  },
  NEW_EPOCH: {
    retryable: false,
    status: 409,
    advice: 'Pull, and push again: the gateway was restored, and nothing of this push was taken.',
  },
  KEY_REUSED: { retryable: false, status: 409, advice: 'A changeId names one change for ever: take a new one.' },
  UNKNOWN_REFERENCE: { retryable: true, status: 422, advice: 'Push the record that is referred to first.' },
  PARENT_REFUSED: { retryable: false, status: 422, advice: 'The record that this one refers to was refused.' },
  NO_SUCH_RECORD: { retryable: false, status: 422, advice: 'The create that this change follows was refused.' },
  RECORD_BLOCKED: { retryable: true, status: 429, advice: 'Wait until earlier changes of this record are settled.' },
  CONFLICT: { retryable: false, status: 409, advice: 'Look at the current record and push a new change.' },
  SOURCE_REFUSED: {
    retryable: false,
    status: 422,
    advice: 'The source refused the change: its reason is the message.',
  },
  OPERATOR_REFUSED: {
    retryable: false,
    status: 422,
    advice: 'An operator refused the change: the reason is the message.',
  },
  SOURCE_UNAVAILABLE: { retryable: true, status: 503, advice: 'The source does not answer; the gateway tries again.' },
  OUTCOME_UNKNOWN: {
    retryable: false,
    status: 502,
    advice: 'The call to the source may have taken effect; an operator settles it.',
  },
  STILL_THERE: {
    retryable: true,
    status: 409,
    advice:
      'Have the record deleted at its source first, and wait until that is seen here: what is kept of it is only a copy.',
  },
  UNAUTHENTICATED: { retryable: false, status: 401, advice: 'Send a valid bearer token; a webhook, its proof.' },
  FORBIDDEN: { retryable: false, status: 403, advice: 'This session may not do that.' },
  PERSISTED_QUERY_NOT_FOUND: {
    retryable: false,
    // As Apollo's clients expect it.
    status: 200,
    advice: 'Send an operation that this gateway was given: its list of documents is older than the app, or newer.',
  },
  PAYLOAD_TOO_LARGE: { retryable: false, status: 413, advice: 'Send less at once: the message names the limit.' },
  RATE_LIMITED: { retryable: true, status: 429, advice: 'Wait for the time that Retry-After names.' },
  UNAVAILABLE: { retryable: true, status: 503, advice: 'The gateway cannot reach its store; try again.' },
  INTERNAL: { retryable: true, status: 500, advice: 'A fault of the gateway: the log has the reason.' },
  STARTUP: { retryable: false, status: 500, advice: 'Correct what the message names and start again.' },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/**
 * The one error class. The message says what was expected and what came; `cause` keeps the original and never leaves
 * the process.
 */
export class SyncError extends Error {
  readonly code: ErrorCode;
  /** The field of a record or the argument of a request that is at fault. */
  readonly field: string | undefined;
  /** After which time a repeat may succeed, ms; undefined: nobody can tell. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly field?: string; readonly retryAfterMs?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SyncError';
    this.code = code;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
  }

  get retryable(): boolean {
    return ERROR_CATALOGUE[this.code].retryable;
  }

  get status(): number {
    return ERROR_CATALOGUE[this.code].status;
  }

  /** Translates anything thrown: ours stays as it is, everything else becomes INTERNAL with the original as cause. */
  static from(thrown: unknown, code: ErrorCode = 'INTERNAL', message = 'unexpected fault'): SyncError {
    return thrown instanceof SyncError ? thrown : new SyncError(code, message, { cause: thrown });
  }
}

/** What one change's fault looks like to its device: part of push results and receipts. */
export interface ChangeError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly field: string | null;
  readonly retryable: boolean;
  /** What a source says of single fields of the change, beside its message. Absent: nothing. */
  readonly fields?: readonly FieldError[];
}

/** One thing that is wrong with a change, as its source says it. */
export interface FieldError {
  /** In our names; null: the source names none, or one that is not ours. */
  readonly field: string | null;
  /** One line of plain text. */
  readonly message: string;
}

/** The device's view of an error: code, message, field and whether a repeat can help. */
export function toChangeError(error: SyncError): ChangeError {
  return { code: error.code, message: error.message, field: error.field ?? null, retryable: error.retryable };
}

/** Why the program could not start, and the exit code that scripts can branch on. */
export const EXIT_CODES = {
  /** A fault that no other line names. */
  fault: 1,
  /** The command line, the environment or the configuration file is wrong. */
  config: 2,
  /** The port is taken or may not be used. */
  port: 3,
  /** The database cannot be started or reached, or is not ours. */
  store: 4,
  /** No permission or no room to write. */
  disk: 5,
  /** A source of the demo cannot be started, or `doctor` or `inspect` found one that does not answer. */
  source: 6,
  /** The gateway that a command talks to does not answer. */
  gateway: 7,
  /** The gateway answers and refuses what a command asks of it. */
  refused: 8,
  /** `inspect` found another description than the one that its files are made of, and was not told to write. */
  changed: 9,
  /** `doctor` found a source that does not do what its connector declares. */
  contradicted: 10,
} as const;
export type ExitReason = keyof typeof EXIT_CODES;

/** A start that cannot go on: one clear sentence for the operator, and what the process exits with. */
export class StartupError extends SyncError {
  readonly reason: ExitReason;

  constructor(reason: ExitReason, message: string, options: { readonly cause?: unknown } = {}) {
    super('STARTUP', message, options);
    this.name = 'StartupError';
    this.reason = reason;
  }

  get exitCode(): number {
    return EXIT_CODES[this.reason];
  }
}
