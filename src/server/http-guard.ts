import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { SyncError } from '../core/errors.js';

/** Whom a request may name as its host, and from which web origins it may come. */
export interface HttpGuard {
  /**
   * Refuses what a foreign web page can make a browser send: a name that was pointed at us (DNS rebinding) and a foreign
   * origin. Development mode needs it most, since any page can reach loopback.
   *
   * @throws SyncError FORBIDDEN
   */
  check(request: IncomingMessage): void;
  /** The headers that let a browser read the answer, for configured foreign origins. */
  corsHeaders(request: IncomingMessage): Readonly<Record<string, string>>;
}

/** Loopback names, IP addresses (rebinding needs a name), our own host and the configured ones. */
export function createHttpGuard(options: {
  readonly host: string;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}): HttpGuard {
  const names = new Set([options.host, ...options.allowedHosts].map((name) => name.toLowerCase()));
  const origins = new Set(options.allowedOrigins.map((origin) => origin.toLowerCase().replace(/\/$/, '')));

  const isAllowedHost = (host: string): boolean => {
    const name = hostName(host);
    if (name === null) return false;
    return name === 'localhost' || name.endsWith('.localhost') || isIP(unbracketed(name)) !== 0 || names.has(name);
  };

  return {
    check(request) {
      const { host } = request.headers;
      if (host === undefined || !isAllowedHost(host)) {
        throw new SyncError(
          'FORBIDDEN',
          `Host: expected a loopback name or a configured one (allowedHosts), got ${shown(host)}`,
        );
      }
      const { origin } = request.headers;
      if (origin === undefined || isOwnOrigin(origin, host) || origins.has(origin.toLowerCase())) return;
      throw new SyncError(
        'FORBIDDEN',
        `Origin: expected our own or a configured one (allowedOrigins), got ${shown(origin)}`,
      );
    },
    corsHeaders(request) {
      const { origin, host } = request.headers;
      if (origin === undefined || isOwnOrigin(origin, host ?? '')) return {};
      return {
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'POST, GET, OPTIONS',
        'access-control-allow-headers': 'authorization, content-type, tidegate-device, apollo-require-preflight',
        'access-control-max-age': '600',
        vary: 'origin',
      };
    },
  };
}

function isOwnOrigin(origin: string, host: string): boolean {
  return /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, '').toLowerCase() === host.toLowerCase();
}

/** The name without its port, in lower case; null when it is none. */
function hostName(host: string): string | null {
  return /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?$/.exec(host.toLowerCase())?.[1] ?? null;
}

function unbracketed(name: string): string {
  return name.replace(/^\[|\]$/g, '');
}

function shown(value: string | undefined): string {
  return value === undefined ? 'none' : JSON.stringify(value.slice(0, 100));
}
