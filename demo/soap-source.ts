/**
 * The clinic's store room, a SOAP system and a process of its own: the soap package's server with a WSDL.
 *
 *     node dist/demo/soap-source.js --folder FOLDER [--port 5002] [--host 127.0.0.1]
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { listen, type IOptions, type IServerOptions } from 'soap';
import { runSource } from './source-process.js';
import { readStoredFile, writeStoredFile } from './stored-file.js';
import {
  SUPPLIES_PATH,
  SUPPLIES_PORT,
  SUPPLIES_SERVICE,
  suppliesWsdl,
  type SuppliesOperation,
} from './supplies-wsdl.js';
import { supplyRecords, type SupplyRecord } from './supply-records.js';
import type { SupplyTexts } from './supply-rules.js';
import { SupplyStock, type StoredStock } from './supply-stock.js';

const SEED = 23;
/** The soap package would make numbers and dates of these, and lose digits and zeros: the stock reads the texts itself. */
const AS_TEXT = Object.fromEntries(
  ['int', 'long', 'decimal', 'boolean', 'date', 'dateTime'].map((type) => [type, (text: string) => text]),
);

await runSource('soap-source', async ({ folder, today }) => {
  const path = join(folder, 'supplies.json');
  const stored = await readStoredFile<StoredStock>(path, () => ({
    supplies: supplyRecords(SEED, today),
    nextNumber: 1,
  }));
  const stock = new SupplyStock(stored, (changed) => writeStoredFile(path, changed), Date.now);
  return { listener: answerElsewhere, onListening: (server, url) => serve(server, url, stock) };
});

function answerElsewhere(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(404, { 'content-type': 'text/plain' });
  response.end(`The store room answers at ${SUPPLIES_PATH}; its WSDL is at ${SUPPLIES_PATH}?wsdl.\n`);
}

/** The WSDL names the address, so it is made when that is known. */
function serve(server: Server, url: string, supplies: SupplyStock): void {
  const operations: Readonly<Record<SuppliesOperation, (request: SupplyTexts | null) => object>> = {
    ListSupplies: (request) => {
      const page = supplies.list(request ?? {});
      return { ...page, supplies: page.supplies.map(withoutNulls) };
    },
    GetSupply: (request) => ({ supply: withoutNulls(supplies.get(request ?? {})) }),
    CreateSupply: (request) => ({ supply: withoutNulls(supplies.create(request ?? {})) }),
    UpdateSupply: (request) => ({ supply: withoutNulls(supplies.update(request ?? {})) }),
    DeleteSupply: (request) => {
      supplies.delete(request ?? {});
      return { sku: request?.['sku'] };
    },
  };
  const options: IServerOptions & Pick<IOptions, 'customDeserializer'> = {
    path: SUPPLIES_PATH,
    services: { [SUPPLIES_SERVICE]: { [SUPPLIES_PORT]: { ...operations } } },
    xml: suppliesWsdl(url),
    suppressStack: true,
    customDeserializer: AS_TEXT,
  };
  listen(server, options);
}

/** An element without a value is left out, as the WSDL says. */
function withoutNulls(supply: SupplyRecord): object {
  return Object.fromEntries(Object.entries(supply).filter(([, value]) => value !== null));
}
