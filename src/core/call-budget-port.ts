/** The turns of one tenant's sources, over all gateways on one store. */
export interface CallBudget {
  /**
   * Takes turns for calls that are made now: never more than `turns.most` within `turns.windowMs`, whichever gateway makes them.
   * A turn that is taken and not used is lost; a repeat takes further ones.
   *
   * @param atMost how many calls wait for one, at least 1
   * @returns how many may be made at once, and, where it is none, when to ask again
   * @throws SyncError UNAVAILABLE - no turn is known to be taken
   */
  takeTurns(
    source: string,
    turns: CallRate,
    atMost: number,
  ): Promise<{ readonly taken: number; readonly waitMs: number }>;
}

/** Where the turns are kept. */
export interface CallBudgetStore {
  /** Sources of two tenants share no turn, whatever their names. */
  callBudget(tenant: string): CallBudget;
}

/** How many calls a source takes in any stretch of so many ms. */
export interface CallRate {
  readonly most: number;
  readonly windowMs: number;
}
