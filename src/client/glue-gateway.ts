import { deviceClock, type ClientClock } from './client-clock.js';
import { requestReaction } from './error-reactions.js';
import { createExchange, type Fetch } from './exchange.js';
import type { ChangeError } from '../core/errors.js';
import { GatewayFault, type Fate, type PulledChange, type PulledPage, type SentChange } from './gateway.js';
import { createGluePushes, type GluePushes } from './glue-push.js';
import { readAhead, type Credentials, type ReadPage } from './page-ahead.js';
import { createStoreOwner, type StoreOwner } from './store-owner.js';
import { createTurns } from './turns.js';

/** What became of a pushed change: its result, or later its receipt. */
export interface ToldFate extends Pick<Fate, 'changeId' | 'status'> {
  readonly error: ChangeError | null;
  /** The record as it now stands; null when this device may not see it. */
  readonly change: PulledChange | null;
  /** No gateway said so: it could not be sent, and what stopped it is the error. */
  readonly isHeldBack?: true;
  /** Of a result: the epoch in which the change was taken. */
  readonly epoch?: string;
}

/** One answer of pull. */
export interface ToldPage extends Pick<
  PulledPage,
  'changes' | 'checkpoint' | 'hasMore' | 'reset' | 'resetReason' | 'epoch'
> {
  readonly receipts: readonly ToldFate[];
}

/** What the gateway declares of a collection. */
export interface DeclaredCollection {
  readonly name: string;
  readonly fields: readonly DeclaredField[];
}

export interface DeclaredField {
  readonly name: string;
  readonly type: string;
  readonly list: boolean;
  readonly writable: boolean;
}

const FATE = `changeId status error { code message field retryable }
  change { collection id version kind pending json }`;

/** The operations that the glue for other libraries sends, word for word: for a gateway that executes listed documents only. */
export const GLUE_DOCUMENTS = {
  pull: `query Pull($since: Checkpoint, $collections: [String!], $limit: Int) {
  pull(since: $since, collections: $collections, limit: $limit) {
    changes { collection id version kind pending json }
    receipts { ${FATE} }
    checkpoint hasMore reset resetReason epoch
  }
}`,
  push: `mutation Push($changes: [ChangeInput!]!, $sentAt: DateTime, $epoch: String) {
  push(changes: $changes, sentAt: $sentAt, epoch: $epoch) { results { ${FATE} } epoch }
}`,
  hints: `subscription Hints($collections: [String!]) { hints(collections: $collections) { at } }`,
  fields: `query Fields { collections { name fields { name type list writable } } }`,
} as const;

const TIMEOUT_MS = 30_000;

/** Where a gateway is, and who asks. */
export interface GatewayAddress {
  /** Its GraphQL endpoint, like https://sync.example.com/graphql. */
  readonly url: string;
  /** Names this installation of the app: made once, kept with its data. */
  readonly device: string;
  /** Sent with each request; asked each time, so that a renewed token is taken at once. */
  readonly headers?: Credentials | (() => Credentials | Promise<Credentials>);
  /** Gets new credentials when the gateway says UNAUTHENTICATED; then the request is made again, once. Absent: it fails. */
  readonly signIn?: () => Promise<void>;
  /** The platform's by default. */
  readonly fetch?: Fetch;
  /** After which time a request is given up, ms; it may have taken effect all the same. Absent: 30,000. */
  readonly timeoutMs?: number;
  /**
   * This device was silent for too long, or is a copy of another one: makes and keeps a new id for it (F11). Absent: the error is reported
   * again and again.
   */
  readonly onEvicted?: () => string | Promise<string>;
  readonly clock?: ClientClock;
}

/**
 * The way to a gateway for the glue of other libraries, which reacts to the faults of a whole request that need no app. One request at a
 * time, so that answers arrive in the order in which the states that they tell of were current. Safe to repeat. Every fault is a `GatewayFault`.
 */
export interface GlueGateway {
  /** One page. A checkpoint that the gateway cannot read begins anew (`reset: true`), and the page behind it is asked for ahead. */
  pull(since: string | null): Promise<ReadPage<ToldPage>>;
  /**
   * In as many requests as the gateway wants.
   *
   * @param chosenFor the id under which they were chosen as what may go out; where it is another one by then they do not (F11). Absent: the one of now
   * @param epoch the one in which changes that may be below these were accepted; where another one is in force nothing is taken. Absent: there are none
   * @returns one fate per change, in their order; a push of nothing is answered here
   * @throws GatewayFault - nothing is known of any; DEVICE_EVICTED: nothing was taken, and `renew` helps; NEW_EPOCH: nothing was taken
   */
  push(changes: readonly SentChange[], chosenFor?: string, epoch?: string): Promise<readonly ToldFate[]>;
  /** Tells of no record, and so waits for no turn. */
  declared(): Promise<readonly DeclaredCollection[]>;
  /** The page that was asked for ahead is given up. */
  drop(): void;
  /** The id under which it asks now: another one after `renew`, and after a page that tells of an eviction. */
  device(): string;
  /**
   * Goes on under a new id. What was sent under the old one and has no answer is not sent again (F11).
   *
   * @param asked the id of which it was told so: where it is another one by now, nothing happens
   * @throws GatewayFault `why`, where the app makes no new ids
   */
  renew(why: GatewayFault, asked: string): Promise<void>;
  /** Whose store it is: told once, with its last checkpoint; pages that come are noted by themselves. */
  readonly owner: Pick<StoreOwner, 'ownedBy' | 'seenBy'>;
  /** Who asks, as requests are told; the device among it. */
  credentials(): Promise<Credentials>;
}

/**
 * @param pulled what a pull asks for: names of collections, and the most changes of a page, 1 to 5,000
 * @param pushes what was learnt of how much the gateway takes at once; absent: nothing yet
 */
export function openGlueGateway(
  address: GatewayAddress,
  pulled: { readonly collections: readonly string[]; readonly limit: number },
  pushes: GluePushes = createGluePushes(() => (address.clock ?? deviceClock).nowMs()),
): GlueGateway {
  const { url, headers = {}, signIn, onEvicted } = address;
  const { fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS, clock = deviceClock } = address;
  const given = async (): Promise<Credentials> => (typeof headers === 'function' ? headers() : headers);
  const exchange = createExchange({ url, headers: given, signIn, fetch, clock, timeoutMs });
  const inTurn = createTurns();
  let { device } = address;

  const credentials = async (): Promise<Credentials> => ({ ...(await given()), 'tidegate-device': device });

  const ask: Ask = (query, variables) => exchange(device, query, variables);

  async function renew(why: GatewayFault, asked: string): Promise<void> {
    // A page may have told of it meanwhile.
    if (device !== asked) return;
    if (onEvicted === undefined) throw why;
    device = await onEvicted();
  }

  async function askPage(by: Ask, since: string | null, limit = pulled.limit): Promise<ToldPage> {
    const { pull } = await by<{ readonly pull: ToldPage }>(GLUE_DOCUMENTS.pull, { ...pulled, since, limit });
    if (pull.resetReason === 'OTHER_USER')
      throw new GatewayFault('CLOSED', 'these are the records and edits of another user: open a store for each');
    return pull;
  }

  function askAs(who: Credentials): Ask {
    const exchangeAs = createExchange({ url, headers: () => who, fetch, clock, timeoutMs });
    return (query, variables) => exchangeAs(device, query, variables);
  }

  const owner = createStoreOwner(async (who, place) => void (await askPage(askAs(who), place, 1)));

  /** Asks with credentials that are the store's owner's; a user may sign in as another one. */
  async function askAsOwner<Answer>(request: (by: Ask, who: Credentials) => Promise<Answer>, place: string | null) {
    const attempt = async (): Promise<Answer> => {
      const who = await given();
      // A place tells its user by itself.
      if (place === null) await owner.check(who);
      return request(askAs(who), who);
    };
    try {
      return await attempt();
    } catch (thrown) {
      if (signIn === undefined || reactionTo(thrown) !== 'signIn') throw GatewayFault.from(thrown, 'UNREACHABLE');
      await signIn();
      return attempt();
    }
  }

  /** An evicted device is told by a page of its own, once: the new id is kept before that page is. */
  async function askOwnPage(since: string | null): Promise<ToldPage> {
    const asked = device;
    const page = await askAsOwner(async (by, who) => {
      const told = await askPage(by, since);
      owner.seen(who, told.checkpoint);
      return told;
    }, since);
    if (page.resetReason === 'DEVICE_EVICTED' && onEvicted !== undefined && device === asked)
      device = await onEvicted();
    return page;
  }

  const pages = readAhead<ToldPage>({
    credentials,
    nowMs: () => clock.nowMs(),
    // As old as the answer to a slow request may be.
    keepMs: timeoutMs,
    ask: (since) =>
      inTurn(async () => {
        try {
          return await askOwnPage(since);
        } catch (thrown) {
          if (since === null || reactionTo(thrown) !== 'beginAgain') throw thrown;
          return { ...(await askOwnPage(null)), reset: true };
        }
      }),
    // Nobody waits for it: it asks no user to sign in, and reacts to nothing.
    askAhead: (since, who, dropped) =>
      inTurn(async () => {
        if (dropped.aborted) throw new Error('expected somebody to want the page');
        const untilDropped = new Promise<void>((resolve) => dropped.addEventListener('abort', () => resolve()));
        const wait: ClientClock['wait'] = (ms, signal) => Promise.race([clock.wait(ms, signal), untilDropped]);
        const askOnce = createExchange({ url, headers: () => who, fetch, clock: { wait }, timeoutMs });
        return askPage((query, variables) => askOnce(device, query, variables), since);
      }),
  });

  return {
    credentials,
    pull: (since) => pages.read(since),
    async push(changes, chosenFor = device, epoch = undefined) {
      if (changes.length === 0) return [];
      // A page that was asked for before tells of states from before.
      pages.drop();
      // One turn for all: a page between two requests would know more than the results that are told after it.
      return inTurn(() =>
        pushes.push(changes, async (portion) => {
          const sentAt = new Date(clock.nowMs()).toISOString();
          type Pushed = { readonly push: { readonly results: readonly ToldFate[]; readonly epoch: string } };
          const asked = { changes: portion, sentAt, ...(epoch === undefined ? {} : { epoch }) };
          const { push } = await askAsOwner(async (by) => {
            if (device !== chosenFor) throw new GatewayFault('DEVICE_EVICTED', `${chosenFor}: expected it to go on`);
            return by<Pushed>(GLUE_DOCUMENTS.push, asked);
          }, null);
          return push.results.map((result) => ({ ...result, epoch: push.epoch }));
        }),
      );
    },
    async declared() {
      type Declared = { readonly collections: readonly DeclaredCollection[] };
      return (await ask<Declared>(GLUE_DOCUMENTS.fields, {})).collections;
    },
    drop: () => pages.drop(),
    device: () => device,
    renew,
    owner,
  };
}

type Ask = <Data>(query: string, variables: object) => Promise<Data>;

function reactionTo(thrown: unknown) {
  return thrown instanceof GatewayFault ? requestReaction(thrown.code) : null;
}
