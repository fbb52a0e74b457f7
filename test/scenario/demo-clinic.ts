import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClientAsync, type Client } from 'soap';
import { startGatewayProcess, stopGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';

/** A row of the REST system, or a supply of the SOAP system as its texts. */
export type Row = Readonly<Record<string, unknown>>;

/** `tidegate demo` as a newcomer runs it, and its two systems, reached past the gateway as their own people reach them. */
export interface DemoClinic {
  readonly url: string;
  readonly dataFolder: string;
  readonly pid: number;
  /** All rows of one of the REST system's lists. */
  list(collection: string): Promise<readonly Row[]>;
  /** One row; null when it is not there. */
  row(collection: string, id: string): Promise<Row | null>;
  edit(collection: string, id: string, fields: object): Promise<void>;
  remove(collection: string, id: string): Promise<void>;
  supplies(): Promise<readonly Row[]>;
  supply(sku: string): Promise<Row>;
  editSupply(sku: string, fields: object): Promise<void>;
  /** Kills everything at once and starts it again on the same data, perhaps at other ports. */
  killAndStart(): Promise<void>;
  /** @returns the program's exit code */
  end(): Promise<number | null>;
  removeFiles(): void;
}

/** What the soap package would make numbers and moments of; the store room wants them as it showed them. */
const AS_TEXT = Object.fromEntries(
  ['int', 'long', 'decimal', 'boolean', 'date', 'dateTime'].map((type) => [type, (text: string) => text]),
);

export async function startDemoClinic(): Promise<DemoClinic> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-day-'));
  const dataFolder = path.join(folder, 'data');
  let gateway: GatewayProcess;
  let restUrl = '';
  let stock: Client;

  async function start(): Promise<void> {
    gateway = await startGatewayProcess(['demo'], { TIDEGATE_DATA: dataFolder }, folder);
    [, restUrl = ''] = await gateway.line(/^ {2}REST +(http:\S+)/);
    const [, wsdlUrl = ''] = await gateway.line(/^ {2}SOAP +(http:\S+)/);
    stock = await createClientAsync(wsdlUrl, { customDeserializer: AS_TEXT });
  }

  async function call(method: string, at: string, body?: object): Promise<Response> {
    const answer = await fetch(`${restUrl}/${at}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    if (!answer.ok && answer.status !== 404)
      throw new Error(`${method} ${at}: ${answer.status} ${await answer.text()}`);
    return answer;
  }

  async function callStock(operation: string, request: object): Promise<Row> {
    const [answer] = (await stock[`${operation}Async`](request)) as [Row];
    return answer;
  }

  const clinic: DemoClinic = {
    get url() {
      return gateway.url;
    },
    get pid() {
      return gateway.pid;
    },
    dataFolder,
    list: async (collection) => (await (await call('GET', collection)).json()) as readonly Row[],
    async row(collection, id) {
      const answer = await call('GET', `${collection}/${id}`);
      return answer.status === 404 ? null : ((await answer.json()) as Row);
    },
    edit: async (collection, id, fields) => void (await call('PATCH', `${collection}/${id}`, fields)),
    remove: async (collection, id) => void (await call('DELETE', `${collection}/${id}`)),
    supplies: async () => (await callStock('ListSupplies', { limit: 500 }))['supplies'] as readonly Row[],
    supply: async (sku) => (await callStock('GetSupply', { sku }))['supply'] as Row,
    async editSupply(sku, fields) {
      const { sku: _sku, version, modifiedAt: _modifiedAt, ...rest } = await clinic.supply(sku);
      await callStock('UpdateSupply', { sku, version, supply: { ...rest, ...fields } });
    },
    async killAndStart() {
      gateway.signal('SIGKILL');
      await gateway.ended;
      await start();
    },
    end: () => stopGatewayProcess(gateway),
    removeFiles: () => rmSync(folder, { recursive: true, force: true }),
  };
  await start();
  return clinic;
}
