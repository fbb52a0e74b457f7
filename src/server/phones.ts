import type { PhoneSender } from '../core/phone-hint-port.js';
import type { HintWindows } from '../core/phone-port.js';
import type { Chance, Clock, Log } from '../core/ports.js';
import type { Session } from '../core/session.js';
import type { SeenScopes } from '../core/device-port.js';
import type { Store } from '../core/store-port.js';
import type { UseCases } from '../graphql/context.js';
import { createLeasedWork } from '../ingest/leased-work.js';
import type { Pull } from '../pull/pull.js';
import { createContacts } from '../realtime/contacts.js';
import type { HintCounts } from '../realtime/hint-counts.js';
import { createHintDelivery } from '../realtime/hint-delivery.js';
import type { PushSettings } from './push-settings.js';

/** A phone that is stale is hinted once a day. */
const STALE_WINDOW_MS = 86_400_000;

/** The sleeping phones of one tenant: who was here is noted beside the requests, and hints are sent beside both. */
export interface Phones {
  /** The same pull; each that came to an end is noted. */
  noting(pull: Pull): Pull;
  /** The same push; what it told is noted. */
  notingPush(push: UseCases['push']): UseCases['push'];
  start(): void;
  stop(): Promise<void>;
}

export function createPhones(
  ports: {
    readonly store: Store;
    readonly sender: Pick<PhoneSender, 'send'>;
    readonly clock: Clock;
    readonly chance: Chance;
    readonly log: Log;
    readonly seenBy: (session: Session) => SeenScopes;
    /** Null: nobody measures. */
    readonly counts: HintCounts | null;
  },
  options: {
    readonly tenant: string;
    readonly holder: string;
    readonly collections: readonly string[];
    readonly push: PushSettings;
  },
): Phones {
  const { clock, counts } = ports;
  const { tenant, holder, collections, push: settings } = options;
  const contacts = createContacts({ ...ports, onAnswered: (answered) => counts?.answered(answered) }, { tenant });
  const leased = createLeasedWork(ports, { tenant, holder });
  const delivery = createHintDelivery(
    { ...ports, leased },
    {
      tenant,
      holder,
      collections,
      windows: windowsOf(settings),
      escalation: { ...settings.escalation, hasNotice: settings.notice !== undefined },
    },
  );

  return {
    noting: (pull) => async (session, request) => {
      const beganMs = clock.monotonicMs();
      const page = await pull(session, request);
      const isAll = request.collections === null || collections.every((name) => request.collections?.includes(name));
      const { epoch, seq, hasMore } = page;
      const brought = hasMore ? null : { epoch, seq, collections: isAll ? null : request.collections };
      contacts.pulled(session, beganMs, brought);
      return page;
    },
    notingPush:
      (push) =>
      async (session, ...sent) => {
        const results = await push(session, ...sent);
        const told = results.filter(({ status }) => status !== 'ACCEPTED').map(({ changeId }) => changeId);
        contacts.told(session, told);
        return results;
      },
    start() {
      contacts.start();
      delivery.start();
    },
    async stop() {
      await Promise.all([contacts.stop(), delivery.stop()]);
    },
  };
}

function windowsOf({ windowsMs: { android, ios, web } }: PushSettings): HintWindows {
  return { ANDROID: android, IOS: ios, WEB: web, staleMs: STALE_WINDOW_MS };
}
