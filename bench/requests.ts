import { Pool } from 'undici';

/** A keep-alive client of one server: bytes in, bytes out, nothing parsed unless asked. */
export interface Requests {
  post(path: string, body: string): Promise<Buffer>;
  patch(path: string, body: string): Promise<Buffer>;
  get(path: string): Promise<Buffer>;
  /** A GraphQL request; throws when it was answered with errors. */
  graphql<T>(query: string, variables?: Readonly<Record<string, unknown>>): Promise<T>;
  close(): Promise<void>;
}

export function requestsTo(url: string, device: string, connections: number): Requests {
  const pool = new Pool(url, { connections, pipelining: 1 });
  const headers = { 'content-type': 'application/json', 'tidegate-device': device, 'accept-encoding': 'identity' };
  const send = async (method: 'GET' | 'POST' | 'PATCH', path: string, body: string | null): Promise<Buffer> => {
    const answer = await pool.request({ path, method, headers, body });
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    if (answer.statusCode >= 400)
      throw new Error(`${method} ${path}: expected 2xx, got ${answer.statusCode} ${bytes.subarray(0, 300)}`);
    return bytes;
  };
  const post = (path: string, body: string): Promise<Buffer> => send('POST', path, body);
  return {
    post,
    patch: (path, body) => send('PATCH', path, body),
    get: (path) => send('GET', path, null),
    async graphql<T>(query: string, variables: Readonly<Record<string, unknown>> = {}): Promise<T> {
      const text = (await post('/graphql', JSON.stringify({ query, variables }))).toString();
      const answer = JSON.parse(text) as { data?: T; errors?: unknown };
      if (answer.data === undefined || answer.errors !== undefined)
        throw new Error(`expected data, got ${text.slice(0, 500)}`);
      return answer.data;
    },
    close: () => pool.close(),
  };
}

/** A page in the generic form: what sync clients ask for. */
export const PULL_JSON = `query Pull($since: Checkpoint, $limit: Int) {
  pull(since: $since, limit: $limit) {
    changes { collection id version changedAt kind pending mine json }
    receipts { changeId status } checkpoint hasMore reset complete epoch
  }
}`;

/** A page in the typed form, with all fields of the record in declared order. */
export const PULL_TYPED = PULL_JSON.replace(
  'json }',
  '... on ItemChange { record { name street city status note amount count active dueAt updatedAt } } }',
);

/** A page in the typed form, with half of the fields. */
export const PULL_PARTIAL = PULL_JSON.replace(
  'json }',
  '... on ItemChange { record { name city status amount dueAt } } }',
);

export interface PulledPage {
  readonly pull: {
    readonly changes: readonly {
      readonly id: string;
      readonly version: string;
      readonly kind: string;
      readonly json?: Readonly<Record<string, unknown>> | null;
    }[];
    readonly checkpoint: string;
    readonly hasMore: boolean;
  };
}

/** Pulls until there is nothing more; returns the last checkpoint and what came. */
export async function pullToEnd(
  requests: Requests,
  since: string | null = null,
): Promise<{ readonly checkpoint: string; readonly changes: number }> {
  let checkpoint = since;
  let changes = 0;
  for (;;) {
    const { pull }: PulledPage = await requests.graphql<PulledPage>(PULL_JSON, { since: checkpoint, limit: 1000 });
    checkpoint = pull.checkpoint;
    changes += pull.changes.length;
    if (!pull.hasMore) return { checkpoint, changes };
  }
}

/** Waits until the gateway has every record of its source. */
export async function untilIngested(requests: Requests, records: number): Promise<void> {
  for (;;) {
    const { collections } = await requests.graphql<{
      collections: readonly { readonly state: string; readonly recordCount: number }[];
    }>('{ collections { state recordCount } }');
    if (collections.every((one) => one.state === 'READY' && one.recordCount >= records)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
