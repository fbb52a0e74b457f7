/**
 * The least server that each client library wants, over items in memory: what the gateway's initial sync is compared with.
 *
 *     node dist/bench/minimal-server.js RECORDS [compressed]
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzip } from 'node:zlib';
import { item } from './items.js';

/** As the gateway does: the whole answer at once, off the main thread, at the lowest level. */
const isCompressed = process.argv[3] === 'compressed';
const items = Array.from({ length: Number(process.argv[2] ?? 0) }, (_, at) => item(at));

/** RxDB: pages by position, as its GraphQL plugin asks for them. */
function rxdbPage({ at, limit }: { readonly at: number; readonly limit: number }): unknown {
  const documents = items.slice(at, at + limit).map((one) => ({ ...one, _deleted: false }));
  return { data: { pull: { documents, checkpoint: { at: at + documents.length } } } };
}

/** WatermelonDB: everything in one answer, since it knows no pages. */
function watermelonRows(): unknown {
  const updated = items.map(({ dueAt, updatedAt, ...others }) => ({ ...others, due_at: dueAt, changed_at: updatedAt }));
  return { changes: { items: { created: [], updated, deleted: [] } }, timestamp: 1 };
}

/** Replicache: everything in one answer, and nothing to who has it. */
function replicachePatch(cookie: number | null): unknown {
  const puts = items.map((one) => ({ op: 'put', key: `items/${one.id}`, value: one }));
  return { cookie: 1, lastMutationIDChanges: {}, patch: cookie === 1 ? [] : [{ op: 'clear' }, ...puts] };
}

interface Asked {
  readonly variables?: Parameters<typeof rxdbPage>[0];
  readonly cookie?: number | null;
}

function answerTo({ variables, cookie }: Asked): unknown {
  if (variables !== undefined) return rxdbPage(variables);
  return cookie === undefined ? watermelonRows() : replicachePatch(cookie);
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const asked = JSON.parse(Buffer.concat(chunks).toString() || '{}') as Asked;
    response.setHeader('content-type', 'application/json');
    const answer = JSON.stringify(answerTo(asked));
    if (!isCompressed || !/gzip/.test(String(request.headers['accept-encoding']))) response.end(answer);
    else
      gzip(answer, { level: 1, chunkSize: 65_536 }, (fault, bytes) => {
        if (fault !== null) response.destroy(fault);
        else response.setHeader('content-encoding', 'gzip').end(bytes);
      });
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
