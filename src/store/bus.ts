import pg from 'pg';
import type { Clock, Log } from '../core/ports.js';
import { applicationName } from './postmaster.js';

const CHANNEL = 'tidegate_advance';
const RECONNECT_AFTER_MS = 1_000;
/** A line that died in silence, without a packet that says so, is noticed within this and the time it has to answer. */
const ASK_EVERY_MS = 5_000;
const ANSWER_WITHIN_MS = 5_000;
/** "too many notifications in the NOTIFY queue" */
const QUEUE_FULL = '54000';

/**
 * How the nodes on one database tell each other something (LISTEN and NOTIFY): each text comes to every node, its own included. Texts may
 * be lost, while the line is down or the server's queue is full: nothing may depend on them.
 */
export interface Bus {
  /**
   * Tells all of them in one transaction; at most 7,999 bytes each. Own transactions only: one that writes to a feed would make all
   * tenants wait for each other (F15).
   *
   * @throws Error - the line is down, or the server does not take them
   */
  tell(texts: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the node's line, and another one whenever it is lost.
 *
 * @param options.url leads to the server itself: LISTEN needs a session, which a pooler of transactions does not give
 * @throws whatever the first connection throws
 */
export async function openBus(options: {
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly hear: (text: string) => void;
}): Promise<Bus> {
  const { clock, log } = options;
  const closing = new AbortController();
  let line: pg.Client | null = null;

  async function connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: options.url,
      application_name: applicationName(),
      connectionTimeoutMillis: 10_000,
      // What is told need not outlive the server: no wait for its disk.
      options: '-c synchronous_commit=off',
    });
    client.on('notification', ({ payload }) => options.hear(payload ?? ''));
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
      return client;
    } catch (cause) {
      await client.end().catch(() => undefined);
      throw cause;
    }
  }

  /** The rows of a statement; a line that gives none in time is ended. */
  async function ask(client: pg.Client, text: string, values: unknown[]): Promise<readonly unknown[]> {
    const answered = new AbortController();
    void clock.wait(ANSWER_WITHIN_MS, answered.signal).then(
      () => client.end(),
      () => undefined,
    );
    try {
      return (await client.query<object>(text, values)).rows;
    } finally {
      answered.abort(new Error('answered'));
    }
  }

  /** Asks now and then whether the line still listens. Resolves when it is gone. */
  async function watch(client: pg.Client): Promise<void> {
    const gone = new AbortController();
    client.once('end', () => gone.abort(new Error('the line is gone')));
    while (!gone.signal.aborted) {
      await clock.wait(ASK_EVERY_MS, gone.signal).catch(() => undefined);
      if (gone.signal.aborted) return;
      const listens = await ask(client, 'select 1 from pg_listening_channels() name where name = $1', [CHANNEL]).then(
        (rows) => rows.length > 0,
        () => false,
      );
      if (!listens) await client.end().catch(() => undefined);
    }
  }

  /** @returns null when the bus is closed meanwhile */
  async function reconnect(): Promise<pg.Client | null> {
    while (!closing.signal.aborted) {
      await clock.wait(RECONNECT_AFTER_MS, closing.signal).catch(() => undefined);
      if (closing.signal.aborted) return null;
      const client = await connect().catch(() => null);
      if (client !== null && closing.signal.aborted) await client.end().catch(() => undefined);
      else if (client !== null) return client;
    }
    return null;
  }

  async function keepUp(first: pg.Client): Promise<void> {
    for (let client: pg.Client | null = first; client !== null; client = await reconnect()) {
      line = client;
      if (client !== first) log.info('the line to the other nodes is up again');
      await watch(client);
      line = null;
      if (!closing.signal.aborted)
        log.warn('the line to the other nodes is down: hints of their commits may take a second');
    }
  }

  const keeping = keepUp(await connect());

  return {
    async tell(texts) {
      const over = line;
      if (over === null) throw new Error('the line to the other nodes is down');
      try {
        await ask(over, 'select pg_notify($1, text) from unnest($2::text[]) text', [CHANNEL, texts]);
      } catch (cause) {
        // Once full, the queue stays so when everybody has read it (seen with Postgres 18): asking for its size has the server look again.
        const isFull = (cause as { code?: string }).code === QUEUE_FULL;
        if (isFull) await ask(over, 'select pg_notification_queue_usage()', []).catch(() => undefined);
        throw cause;
      }
    },
    async close() {
      closing.abort(new Error('the store closes'));
      await line?.end().catch(() => undefined);
      await keeping;
    },
  };
}
