import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  collection,
  defineConnector,
  deletesByScan,
  field,
  type ConnectorDefinition,
} from '../../src/connectors/define.js';
import { get, patch, post, rest } from '../../src/connectors/rest.js';

/** A patient as the ward's system has her. */
export interface Patient {
  readonly id: string;
  readonly name: string;
  readonly note: string | null;
  readonly isolated: boolean;
  readonly ward: string;
  readonly version: number;
}

/** A real HTTP system of patients that says every value it is given back in its errors, as such systems do. */
export interface WardSystem {
  readonly url: string;
  readonly patients: Map<string, Patient>;
  /** Single reads, in order. */
  readonly reads: string[];
  /** What it does with writes. */
  writes: 'takes' | 'refuses' | 'fails';
  /** No request is answered: connections are reset. */
  isDown: boolean;
  /** The back office changes a patient. */
  edit(id: string, fields: Partial<Patient>): void;
  stop(): Promise<void>;
}

export async function startWardSystem(): Promise<WardSystem> {
  const patients = new Map<string, Patient>();
  const reads: string[] = [];
  let made = 0;

  function edit(id: string, fields: Partial<Patient>): void {
    const before = patients.get(id) ?? { id, name: '', note: null, isolated: false, ward: 'A', version: 0 };
    patients.set(id, { ...before, ...fields, id, version: before.version + 1 });
  }

  function answer(request: IncomingMessage, response: ServerResponse, body: Partial<Patient>): void {
    const say = (status: number, json: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    };
    const [, , id] = (request.url ?? '').split('/');
    const known = id === undefined ? undefined : patients.get(id);
    if (request.method === 'GET') {
      if (id === undefined) return say(200, [...patients.values()]);
      reads.push(id);
      return known === undefined ? say(404, { message: 'no such patient' }) : say(200, known);
    }
    if (system.writes === 'fails') return say(500, { message: `out of order with ${JSON.stringify(body)}` });
    if (system.writes === 'refuses') {
      return say(422, {
        message: `not with ${JSON.stringify(body)}`,
        errors: [{ field: 'note', message: `bad: ${body.note}` }],
      });
    }
    if (request.method === 'POST') {
      const own = `P-${(made += 1)}`;
      edit(own, body);
      return say(201, patients.get(own));
    }
    if (known === undefined) return say(404, { message: 'no such patient' });
    const tag = request.headers['if-match'];
    if (tag !== undefined && tag !== `"${known.version}"`) return say(412, { message: JSON.stringify(known) });
    edit(known.id, body);
    return say(200, patients.get(known.id));
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (system.isDown) request.socket.destroy();
      else answer(request, response, JSON.parse(Buffer.concat(chunks).toString() || '{}') as Partial<Patient>);
    });
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const system: WardSystem = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    patients,
    reads,
    writes: 'takes',
    isDown: false,
    edit,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return system;
}

/** Its patients, of whom nothing may rest in the gateway; a ward's staff sees its own. */
export function ward(
  baseUrl: string,
  {
    storage = 'metadataOnly',
    isGuarded = true,
    sealed = [],
  }: {
    readonly storage?: 'snapshot' | 'metadataOnly';
    readonly isGuarded?: boolean;
    readonly sealed?: readonly string[];
  } = {},
): ConnectorDefinition {
  const guard = isGuarded ? { guard: 'ifMatch' as const } : {};
  return defineConnector({
    source: 'ward',
    transport: rest({ baseUrl, timeout: '20s', limit: { concurrent: 4 } }),
    collections: {
      patients: collection({
        type: 'Patient',
        key: 'id',
        version: 'version',
        storage,
        read: {
          list: get('/patients'),
          one: get('/patients/{key}'),
          deletes: deletesByScan({ every: '1d' }),
          pollEvery: '1h',
        },
        write: { create: post('/patients'), update: patch('/patients/{key}'), ...guard },
        policy: 'sourceWins',
        scopes: (patient) => [`ward:${patient.ward ?? 'none'}`],
        fields: {
          name: field.string({ required: true, maxLength: 60, sealed: sealed.includes('name') }),
          note: field.string({ maxLength: 60, sealed: sealed.includes('note') }),
          isolated: field.boolean({ sealed: sealed.includes('isolated') }),
          ward: field.string({ required: true }),
        },
      }),
    },
  });
}
