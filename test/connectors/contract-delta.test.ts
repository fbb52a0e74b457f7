import { nextUrl } from '../../src/connectors/define.js';
import { get } from '../../src/connectors/rest.js';
import { connectorContract } from '../contract/connector.contract.js';
import { BY_KEY, openLedger } from './ledger-source.js';

const CHANGES = get('/changes', {
  rows: 'items',
  paging: nextUrl({ from: '@ledger.nextLink' }),
  deltaLink: '@ledger.deltaLink',
});

connectorContract('a ledger followed by its delta links', () =>
  openLedger({
    list: BY_KEY,
    one: get('/visits/{key}'),
    delta: { list: CHANGES, removed: { member: 'removed' }, replayable: true },
  }),
);
