import type { Store } from '../../src/core/store-port.js';
import { aliasPromises } from './store/alias-promises.js';
import { askedPollPromises } from './store/asked-poll-promises.js';
import { auditPromises } from './store/audit-promises.js';
import { budgetPromises } from './store/budget-promises.js';
import { changePromises } from './store/change-promises.js';
import { commitPromises } from './store/commit-promises.js';
import { dependencyPromises } from './store/dependency-promises.js';
import { erasurePromises } from './store/erasure-promises.js';
import { epochPromises } from './store/epoch-promises.js';
import { feedPromises } from './store/feed-promises.js';
import { ingestPromises } from './store/ingest-promises.js';
import { keepingPromises } from './store/keeping-promises.js';
import { operatorPromises } from './store/operator-promises.js';
import { outboxPromises } from './store/outbox-promises.js';
import { overlayPromises } from './store/overlay-promises.js';
import { pageTextPromises } from './store/page-text-promises.js';
import { duePromises } from './store/due-promises.js';
import { registrationPromises } from './store/registration-promises.js';
import { retentionPromises } from './store/retention-promises.js';
import { tenantPromises } from './store/tenant-promises.js';
import { viaPromises } from './store/via-promises.js';
import { createWorld, type World } from './store/world.js';

/**
 * What every store must do: the promises of the ports of core, one test each. A store passes when all of them hold; the
 * suite opens one store and takes a tenant of its own for every test, so it may run on a database that others use.
 */
export function runStoreContract(name: string, openStore: () => Promise<Store>): void {
  describe(`${name} keeps the store's promises`, () => {
    let store: Store;
    beforeAll(async () => {
      store = await openStore();
    });
    afterAll(() => store.close());
    const begin = (): Promise<World> => createWorld(store);

    describe('commit', () => commitPromises(begin));
    describe('changes', () => changePromises(begin));
    describe('feed', () => feedPromises(begin));
    describe('page text', () => pageTextPromises(begin));
    describe('overlays', () => overlayPromises(begin));
    describe('outbox', () => outboxPromises(begin));
    describe('dependencies', () => dependencyPromises(begin));
    describe('aliases', () => aliasPromises(begin));
    describe('operators', () => operatorPromises(begin));
    describe('audit', () => auditPromises(begin));
    describe('ingest', () => ingestPromises(begin));
    describe('asked polls', () => askedPollPromises(begin));
    describe('call budget', () => budgetPromises(begin));
    describe('keeping', () => keepingPromises(begin));
    describe('registrations for hints', () => registrationPromises(begin));
    describe('hints that are due', () => duePromises(begin));
    describe('retention', () => retentionPromises(begin));
    describe('erasure', () => erasurePromises(begin));
    describe('epochs', () => epochPromises(begin));
    describe('tenants', () => tenantPromises(begin));
    describe('scopes via a reference', () => viaPromises(begin));
  });
}
