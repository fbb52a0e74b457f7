import type { FastifyInstance, FastifyReply } from 'fastify';
import type { PageNonces, PagePolicy } from './page-frame.js';

/** Pages that a program serves beside the gateway's own, where there are pages at all: in development mode. */
export interface Site {
  /** Where it begins, like `/demo`. */
  readonly path: string;
  /** What the landing page says of it. */
  readonly title: string;
  readonly addRoutes: (app: FastifyInstance) => void;
}

/** One page of ours: rendered anew for each answer, since each has its own nonces. */
export function addPage(
  app: FastifyInstance,
  path: string,
  policy: PagePolicy,
  render: (page: { readonly nonces: PageNonces; readonly origin: string }) => string,
): void {
  const helmet = { enableCSPNonces: true, contentSecurityPolicy: { useDefaults: false, directives: policy } };
  app.get(path, { helmet }, async ({ protocol, host }, reply) =>
    sendUncached(reply, 'text/html', render({ nonces: reply.cspNonce, origin: `${protocol}://${host}` })),
  );
}

/** What is another one at each start, or at each answer. */
export function sendUncached(reply: FastifyReply, type: string, text: string): FastifyReply {
  return reply.header('cache-control', 'no-store').type(`${type}; charset=utf-8`).send(text);
}
