import { request } from 'undici';
import type { PushAnswer } from '../demo/push-service.js';
import { startPushServiceProcess } from './processes.js';
import type { PushJournal } from './push-service-process.js';

/** What stands for FCM, in a process of its own. */
export interface OtherPushService {
  /** Where messages go. */
  readonly url: string;
  journal(): Promise<PushJournal>;
  /** What every message is answered with from now on. */
  answerAll(answer: PushAnswer): Promise<void>;
  stop(): Promise<void>;
}

export async function openPushService(): Promise<OtherPushService> {
  const child = await startPushServiceProcess();
  const get = async (path: string): Promise<string> => (await request(`${child.url}${path}`)).body.text();
  return {
    url: await get('/url'),
    journal: async () => JSON.parse(await get('/journal')) as PushJournal,
    answerAll: async (answer) => void (await get(`/answers?all=${answer}`)),
    stop: () => child.stop(),
  };
}
