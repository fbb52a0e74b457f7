import { GatewayFault } from '../../src/client/gateway.js';
import { createMemoryStore, emptyContents } from '../../src/client/memory-store.js';
import { shownRecords } from '../../src/client/overlay.js';
import { createSyncEngine, type SyncEngine } from '../../src/client/sync-engine.js';
import { FeedModel } from './feed-model.js';
import { firstSyncState } from '../support/first-sync-state.js';

export const IDS = ['V-1', 'V-2'];

/** One thing that happens to a device, or around it. */
export type Step =
  | { readonly do: 'edit' | 'write'; readonly id: string }
  | { readonly do: 'push' | 'settle' | 'expire' }
  | { readonly do: 'pull'; readonly pages: number; readonly limit: number }
  | { readonly do: 'priming' | 'slow'; readonly is: boolean };

/** A device in front of the model, and what its app showed of each record, in order. */
export class Showing {
  readonly model = new FeedModel();
  readonly shown = new Map<string, (string | null)[]>(IDS.map((one) => [one, []]));
  private readonly store = createMemoryStore({
    ...emptyContents(),
    state: firstSyncState('tablet'),
  });
  private readonly engine: SyncEngine;
  private edits = 0;
  private writes = 0;

  constructor() {
    const ignore = (): void => undefined;
    this.engine = createSyncEngine({
      store: this.store,
      gateway: this.model.gateway(),
      nowMs: () => 0,
      newId: () => `device ${++this.edits}`,
      limits: { changes: 10, characters: 100_000, page: 10 },
      news: { changed: ignore, told: ignore, reset: ignore, revoked: ignore },
    });
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case 'edit':
        await this.edit(step.id);
        break;
      case 'write':
        this.model.write(step.id, `office ${++this.writes}`);
        break;
      case 'push':
        await this.engine.push();
        break;
      case 'settle':
        this.model.settle();
        break;
      case 'expire':
        this.model.isExpired = true;
        break;
      case 'priming':
        this.model.isPriming = step.is;
        break;
      case 'slow':
        this.model.isSlow = step.is;
        break;
      case 'pull':
        for (let page = 0; page < step.pages; page++) await this.pull(1, step.limit);
    }
    await this.look();
  }

  async pull(pages: number, limit: number): Promise<void> {
    Object.assign(this.model, { pagesLeft: pages, limit });
    await this.engine.pull().catch((thrown: unknown) => {
      if (!(thrown instanceof GatewayFault) || thrown.code !== 'UNREACHABLE') throw thrown;
    });
    await this.look();
  }

  push(): Promise<number> {
    return this.engine.push();
  }

  async outbox(): Promise<readonly string[]> {
    return (await this.store.readSync()).entries.map(({ changeId }) => changeId);
  }

  private async edit(of: string): Promise<void> {
    const changeId = `own ${++this.edits}`;
    const what = { collection: 'visits', id: of, kind: 'UPSERT', fields: { value: changeId } } as const;
    await this.engine.add(async () => {
      const { records, entries } = await this.store.readRecords('visits', of);
      const isCreate = records.length === 0 && entries.length === 0;
      return {
        ...what,
        changeId,
        isCreate,
        baseVersion: records[0]?.version ?? null,
        changedAt: '2026-01-05T08:00:00Z',
      };
    });
  }

  private async look(): Promise<void> {
    const records = new Map(
      shownRecords(await this.store.readRecords('visits')).map((one) => [one.id, String(one.fields['value'])]),
    );
    for (const [of, values] of this.shown) values.push(records.get(of) ?? null);
  }
}
