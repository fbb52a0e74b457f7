import path from 'node:path';
import { z } from 'zod';
import { isThisMachine } from '../outgoing/reach.js';

/** What a shown text may hold in braces: nothing of a record is there to be put in. */
const BLANKS = /\{(?!collection\})[^}]*\}?/;
const TEXT = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => !BLANKS.test(text), 'expected no other blank than {collection}: a hint knows nothing of records');
const NOTICE = z.strictObject({ title: TEXT(100), body: TEXT(400) });
const WINDOW = z.int().min(0).max(86_400_000);

/** How sleeping phones are hinted. Every key with its default, unit and reason. */
export const PUSH_SETTINGS = z.strictObject({
  /** Firebase Cloud Messaging, for Android, iOS and browsers. */
  fcm: z
    .strictObject({
      /**
       * A service account's key file, relative to the working folder, that others cannot read; or `application-default`: what the machine gives (workload
       * identity), or the file that GOOGLE_APPLICATION_CREDENTIALS names. Absent: only for an `endpoint` that asks for none.
       */
      credentials: z.string().min(1).optional(),
      /** The Firebase project of the apps. Absent: the key's own; `application-default` needs it. */
      projectId: z
        .string()
        .regex(/^[a-z0-9][a-z0-9:.-]{2,62}$/, 'expected the id of a project')
        .optional(),
      /** An origin in place of Google, like a stand-in on this machine: `http://127.0.0.1:5003`. */
      endpoint: z
        .string()
        .refine(isOrigin, 'expected an origin like http://127.0.0.1:5003')
        .transform((text) => new URL(text))
        .optional(),
      /** May the endpoint be another machine? Whoever is there sees tokens of phones, and what an access token is made with. */
      allowRemoteEndpoint: z.boolean().default(false),
    })
    .refine(
      ({ endpoint, allowRemoteEndpoint }) =>
        endpoint === undefined || allowRemoteEndpoint || isThisMachine(endpoint.hostname),
      'expected an endpoint on this machine (localhost, 127.0.0.1), or allowRemoteEndpoint beside it',
    )
    .refine(
      ({ credentials, endpoint }) => credentials !== undefined || endpoint !== undefined,
      'expected credentials: the key file of a service account, or "application-default"',
    ),
  /**
   * Texts that phones show for hints about a collection, by its name; absent: nothing is shown. `{collection}` is the only blank. Android and iOS bring such a
   * hint sooner than a silent one.
   */
  visible: z.record(z.string(), NOTICE).default({}),
  /** A text for hints that people are to see because their phone did not pull after others, whatever the collections are. Absent: none is shown. */
  notice: NOTICE.optional(),
  /** A phone is hinted at most once in so long, ms, and once more at the end for what came in between. */
  windowsMs: z
    .strictObject({
      /** FCM takes 20 collapsible messages at once, and then one in 3 minutes: a phone that sleeps sees fewer changes than that. */
      android: WINDOW.default(30_000),
      /** Apple takes two or three background pushes an hour. */
      ios: WINDOW.default(1_200_000),
      /** Browsers count pushes that show nothing, and stop. */
      web: WINDOW.default(60_000),
    })
    .prefault({}),
  /** When hints bring no pull. */
  escalation: z
    .strictObject({
      /** A phone that was hinted and did not pull for so long, ms, is counted, and gets `notice` once: a night's sleep is no reason. */
      afterMs: z.int().min(60_000).max(2_592_000_000).default(43_200_000),
      /** One that did not pull for so long, ms, is stale: hinted once a day until it pulls. A week: FCM keeps its token for months. */
      staleAfterMs: z.int().min(60_000).max(7_776_000_000).default(604_800_000),
    })
    .prefault({}),
  /** Registrations of one user: more than anybody has devices, and little for somebody who registers token after token. */
  maxDevicesPerUser: z.int().min(1).max(100_000).default(100),
});

export type PushSettings = Readonly<z.output<typeof PUSH_SETTINGS>>;

/** What the machine gives, in place of a file. */
export const MACHINE_ACCOUNT = 'application-default';

/** The settings with the whole path of their key file. */
export function inFolder(push: PushSettings, folder: string): PushSettings {
  const { credentials } = push.fcm;
  if (credentials === undefined || credentials === MACHINE_ACCOUNT) return push;
  return { ...push, fcm: { ...push.fcm, credentials: path.resolve(folder, credentials) } };
}

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, origin, href } = new URL(text);
  return ['http:', 'https:'].includes(protocol) && href === `${origin}/`;
}
