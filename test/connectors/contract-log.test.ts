import { changeNumber, deletesByLog } from '../../src/connectors/define.js';
import { get } from '../../src/connectors/rest.js';
import { connectorContract } from '../contract/connector.contract.js';
import { BY_KEY, openLedger } from './ledger-source.js';

const since = changeNumber({ param: 'from', member: 'number', inclusive: true, gap: 0 });

connectorContract('a ledger with a log of what was deleted', () =>
  openLedger({
    list: BY_KEY,
    one: get('/visits/{key}'),
    changes: since,
    deletes: deletesByLog({ list: get('/deleted'), since, keepsFor: '30d' }),
  }),
);
