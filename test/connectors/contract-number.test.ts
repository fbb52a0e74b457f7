import { changeNumber } from '../../src/connectors/define.js';
import { get } from '../../src/connectors/rest.js';
import { connectorContract } from '../contract/connector.contract.js';
import { BY_KEY, openLedger } from './ledger-source.js';

connectorContract('a ledger that numbers its changes', () =>
  openLedger({
    list: BY_KEY,
    one: get('/visits/{key}'),
    changes: changeNumber({ param: 'from', member: 'number', inclusive: true, gap: 0 }),
  }),
);
