import type { FastifyInstance, RouteShorthandOptionsWithHandler } from 'fastify';
import { DEFAULT_TENANT } from './configured-tenants.js';
import { JSON_HEADERS } from './http-error.js';
import type { Webhooks, WebhookVisit } from './webhooks.js';

/**
 * Where sources tell us that something changed: `POST /webhooks/<source>`, and `POST /webhooks/<tenant>/<source>` of a tenant other than
 * `default`; a body of any type, its bytes as they came.
 */
export function addWebhookRoutes(app: FastifyInstance, webhooksOf: (tenant: string) => Webhooks): void {
  const visits = new WeakMap<object, WebhookVisit>();
  const route: RouteShorthandOptionsWithHandler = {
    // Whoever comes too fast, or to nobody, must not make us read a body.
    onRequest: async ({ params, raw }, reply) => {
      const { tenant = DEFAULT_TENANT, source } = params as WebhookAddress;
      const visit = webhooksOf(tenant).enter(source, () => raw.destroy());
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
  };
  app.post('/webhooks/:source', route);
  app.post('/webhooks/:tenant/:source', route);
}

interface WebhookAddress {
  readonly tenant?: string;
  readonly source: string;
}

function joined(headers: Readonly<Record<string, string | string[] | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'string' ? value : value.join(', ')]],
    ),
  );
}
