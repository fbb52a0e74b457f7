import type { FastifyInstance } from 'fastify';
import { JSON_HEADERS } from './http-error.js';
import type { Webhooks, WebhookVisit } from './webhooks.js';

/** Where sources tell us that something changed: `POST /webhooks/<source>`, a body of any type, its bytes as they came. */
export function addWebhookRoute(app: FastifyInstance, webhooks: Webhooks): void {
  const visits = new WeakMap<object, WebhookVisit>();
  app.post<{ Params: { source: string } }>('/webhooks/:source', {
    // Whoever comes too fast, or to nobody, must not make us read a body.
    onRequest: async ({ params, raw }, reply) => {
      const visit = webhooks.enter(params.source, () => raw.destroy());
      visits.set(raw, visit);
      reply.raw.once('close', () => visit.leave());
    },
    handler: async ({ raw, headers, body }, reply) => {
      visits.get(raw)?.receive(joined(headers), Buffer.isBuffer(body) ? body : Buffer.alloc(0));
      return reply
        .code(202)
        .headers(JSON_HEADERS)
        .send(`${JSON.stringify({ status: 'accepted' })}\n`);
    },
  });
}

function joined(headers: Readonly<Record<string, string | string[] | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'string' ? value : value.join(', ')]],
    ),
  );
}
