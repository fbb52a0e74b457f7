import { CallFault, type Classification, type Classify } from './fault.js';
import type { RowTags, WriteAnswer } from './transport.js';

/** What the meaning of an answer depends on, besides the answer. */
export interface ClassifySettings {
  readonly classify: Classify | undefined;
  /** HTTP statuses after which the source has certainly done nothing. */
  readonly notProcessed: readonly number[];
}

/** What an answer means, and who says so. */
export interface Meaning {
  readonly is: Classification;
  /** The connector's own `classify` says it, not the standard rules. */
  readonly isTold: boolean;
}

/** Is it certain that nothing was done? Whatever the standard rules say is told by the status that was asked about. */
export function isUndone({ is, isTold }: Meaning): boolean {
  return !isTold || is.kind === 'notProcessed' || is.kind === 'refused' || is.kind === 'stale';
}

/** What every kit knows of an answer besides its meaning. */
export interface AnswerFacts {
  /** HTTP status. */
  readonly status: number;
  /** Does it show that the source itself is in trouble? */
  readonly isSick: boolean;
  /** The pause that the source asks for, ms. */
  readonly retryAfterMs: number | null;
}

/** What a write's answer holds. */
export interface WriteContent {
  /** Why it cannot be believed: HTML, half a body; null when all is well. */
  readonly misfit: string | null;
  readonly row: unknown;
  readonly tag: RowTags | null;
  /** The body of an answer that is no success, for what it says of fields. */
  readonly said: unknown;
}

/** HTTP's way to say that it is done, and nothing else. */
const NO_CONTENT = 204;

/**
 * What a write came to, the same for every kit (R11).
 *
 * @throws CallFault notSent - it certainly did nothing; unknown - anything may have happened
 */
export function writeAnswerOf({ is, isTold }: Meaning, answer: AnswerFacts, content: WriteContent): WriteAnswer {
  const { status } = answer;
  switch (is.kind) {
    case 'absent':
      return { kind: 'gone' };
    case 'notProcessed':
      throw new CallFault('notSent', is.reason, { retryAfterMs: is.retryAfterMs, sourceIsSick: false });
    case 'unknown': {
      const sourceIsSick = answer.isSick || (content.misfit !== null && status < 400);
      throw new CallFault('unknown', is.reason, { retryAfterMs: answer.retryAfterMs, sourceIsSick });
    }
    case 'expired':
      throw new CallFault('unknown', 'it says that a token expired, of which a write has none');
    case 'stale':
      return is;
    case 'refused':
      return { ...is, said: content.said };
    case 'fine':
      // Half an answer or a login page proves nothing, whatever its status.
      if (content.misfit !== null) throw new CallFault('unknown', content.misfit);
      return { kind: 'done', row: content.row, tag: content.tag, isBare: isTold || status === NO_CONTENT };
  }
}

/** A read that did not bring what was asked for. @param said what the source says, for those who look for the reason */
export function readFaultOf({ is, isTold }: Meaning, answer: AnswerFacts, said: string): CallFault {
  const { status, isSick } = answer;
  switch (is.kind) {
    case 'notProcessed': {
      // What the source says that it did not do may be asked again, after the pause it wants.
      const retryAfterMs = is.retryAfterMs ?? answer.retryAfterMs;
      return new CallFault('notSent', is.reason, { retryAfterMs, sourceIsSick: isSick, status });
    }
    case 'unknown': {
      const isPassing = isTold || isSick || status === 408;
      const sourceIsSick = isTold || isSick || status < 400;
      const { retryAfterMs } = answer;
      return new CallFault(isPassing ? 'unknown' : 'badAnswer', is.reason, { retryAfterMs, sourceIsSick, status });
    }
    case 'expired':
      return new CallFault('badAnswer', said, { sourceIsSick: false, status, isExpired: true });
    case 'refused':
    case 'stale':
      // A source that says what is wrong with the request is well, and will say it again.
      return new CallFault('badAnswer', said, { sourceIsSick: false, status });
    case 'fine':
    case 'absent':
      return new CallFault('badAnswer', said, { sourceIsSick: isSick || status < 400, status });
  }
}
