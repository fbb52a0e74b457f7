/** FCM's stand-in as a process of its own, so that its work is not counted as ours; prints its port. Every message is taken. */
import { startPushService } from '../demo/push-service.js';

const service = await startPushService();
process.stdout.write(`${new URL(service.url).port}\n`);
process.stdin.on('end', () => process.exit(0)).resume();
