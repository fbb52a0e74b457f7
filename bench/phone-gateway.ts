import pg from 'pg';
import { cpuMs, cpuOfTreeMs } from './measure.js';
import { openOwnStore } from './own-store.js';
import { PHONES_CONFIG, startGateway, startInstantSource } from './processes.js';
import { openPushService, type OtherPushService } from './push-service.js';
import { pullToEnd, requestsTo, untilIngested, type Requests } from './requests.js';

const RECORDS = 1_000;
const LOOK_EVERY_MS = 100;

/** The product with so many sleeping phones that see everything, and its own source, Postgres and push service. */
export interface PhoneGateway {
  readonly pushService: OtherPushService;
  readonly requests: Requests;
  /** Of a device that pulled everything. */
  readonly checkpoint: string;
  /** A record changes in the source: every phone is to be hinted. */
  change(): Promise<void>;
  cpu(): { readonly nodeMs: number; readonly postgresMs: number };
  stop(): Promise<void>;
}

export async function openPhoneGateway(phones: number): Promise<PhoneGateway> {
  const [source, own, pushService] = await Promise.all([
    startInstantSource(RECORDS),
    openOwnStore(),
    openPushService(),
  ]);
  const gateway = await startGateway(source.url, {
    DATABASE_URL: own.url,
    TIDEGATE_CONFIG: PHONES_CONFIG,
    BENCH_PUSH_URL: pushService.url,
  });
  const requests = requestsTo(gateway.url, 'bench', 4);
  const office = requestsTo(source.url, 'bench', 1);
  await untilIngested(requests, RECORDS);
  const checkpoint = await registerPhones(own.url, requests, phones);
  return {
    pushService,
    requests,
    checkpoint,
    change: async () => void (await office.post('/revise?count=1', '')),
    cpu: () => ({ nodeMs: cpuMs(gateway.pid), postgresMs: cpuOfTreeMs(own.postgresPid) }),
    async stop() {
      await Promise.all([requests.close(), office.close()]);
      await gateway.stop();
      await Promise.all([own.stop(), source.stop(), pushService.stop()]);
    },
  };
}

/** One registers as phones do, and pulls; the others are copies of its row. What came before is news to none. */
async function registerPhones(databaseUrl: string, requests: Requests, phones: number): Promise<string> {
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  const isTrue = async (fact: string): Promise<boolean> => (await database.query(`select 1 ${fact}`)).rows.length > 0;
  const until = async (fact: string): Promise<void> => {
    while (!(await isTrue(fact))) await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  };
  await until('from hint_cursor c join tenant t on t.id = c.tenant where c.seq = t.head');
  await requests.graphql(`mutation { registerDevice(platform: ANDROID, token: "${tokenOf(0)}") { id } }`);
  const { checkpoint } = await pullToEnd(requests);
  await until('from phone p join tenant t on t.id = p.tenant where p.pulled_seq = t.head');
  await database.query(
    `insert into phone (tenant, user_id, device, platform, token, registered_at, scopes, pulled_at, pulled_seq)
     select tenant, 'u' || n, device, platform, n || token, registered_at, scopes, pulled_at, pulled_seq
     from phone, generate_series(1, $1) as n`,
    [phones - 1],
  );
  await database.query('analyze phone');
  await database.end();
  return checkpoint;
}

/** As long as those of FCM. */
export function tokenOf(phone: number): string {
  return `phone-${phone}`.padEnd(150, 'x');
}
