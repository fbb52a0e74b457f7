import type { ErrorCode } from '../core/errors.js';
import { requestReaction } from './error-reactions.js';
import { GatewayFault, type FaultCode, type SentChange } from './gateway.js';
import type { ToldFate } from './glue-gateway.js';
import { createPortions, portionOf, PUSH_LIMITS } from './portions.js';

/** Lists of changes of any length, in as many requests as the gateway wants. Lives as long as the app does. */
export interface GluePushes {
  /**
   * Sends them in their order, less at once where the gateway cannot take so much, and without what it could not take alone. Safe to repeat.
   *
   * @param send one request; one fate per change, in their order
   * @returns one fate per change: of what was not answered that it is held back, and why
   * @throws GatewayFault - nothing was answered, and it is no fault of what was sent; INTERNAL: less is sent next time
   */
  push(
    changes: readonly SentChange[],
    send: (portion: readonly SentChange[]) => Promise<readonly ToldFate[]>,
  ): Promise<readonly ToldFate[]>;
}

/** Why a change that was sent alone failed as a whole request. */
interface Failure {
  readonly fault: GatewayFault;
  /** The gateway has answered another push since: it is this change that it cannot take. */
  readonly isItsOwn: boolean;
}

/** Its size is its own fault, whatever becomes of others. */
const TOO_LARGE: readonly FaultCode[] = ['PAYLOAD_TOO_LARGE', 'LIMIT_EXCEEDED'];
/** The gateway cannot read it, or any push of this release. */
const UNREADABLE: readonly FaultCode[] = ['BAD_REQUEST', 'VALIDATION'];

const NO_ANSWER = new GatewayFault('UNREACHABLE', 'expected a result for each change');

export function createGluePushes(nowMs: () => number): GluePushes {
  const portions = createPortions(PUSH_LIMITS, nowMs);
  const failures = new Map<string, Failure>();

  function passed(changeIds: readonly string[]): void {
    portions.passed(changeIds);
    for (const changeId of changeIds) failures.delete(changeId);
    for (const [changeId, { fault }] of failures) failures.set(changeId, { fault, isItsOwn: true });
  }

  return {
    async push(changes, send) {
      const fates = new Map<string, ToldFate>();
      const tried = new Set<string>();
      let last: GatewayFault | null = null;
      while (last === null) {
        const portion = portions.next((limits, isLeft) =>
          portionOf(
            changes.filter(({ changeId }) => !tried.has(changeId) && !isLeft(changeId)),
            limits,
            (change) => change,
          ),
        );
        if (portion.length === 0) break;
        const changeIds = portion.map(({ changeId }) => changeId);
        try {
          for (const fate of await send(portion)) fates.set(fate.changeId, fate);
          for (const changeId of changeIds) tried.add(changeId);
          passed(changeIds);
        } catch (thrown) {
          const fault = GatewayFault.from(thrown, 'UNREACHABLE');
          for (const aside of portions.failed(changeIds, fault)) failures.set(aside, { fault, isItsOwn: false });
          if (requestReaction(fault.code) === 'less') continue;
          // What was answered is done; a repeat of all would cost its bytes once more.
          if (fates.size === 0) throw fault;
          last = fault;
        }
      }
      return changes.map(({ changeId }) => {
        const { fault = last ?? NO_ANSWER, isItsOwn } = failures.get(changeId) ?? {};
        return fates.get(changeId) ?? heldBack(changeId, fault, isItsOwn);
      });
    },
  };
}

/**
 * A change that no gateway has answered: said by this device itself, in the words of what stopped it.
 *
 * @param isItsOwn the gateway takes other pushes
 */
export function heldBack(changeId: string, { code, message }: GatewayFault, isItsOwn = false): ToldFate {
  const isHopeless = TOO_LARGE.includes(code) || (isItsOwn && UNREADABLE.includes(code));
  const error = { code: code as ErrorCode, message, field: null, retryable: !isHopeless };
  return { changeId, status: 'REJECTED', error, change: null, isHeldBack: true };
}
