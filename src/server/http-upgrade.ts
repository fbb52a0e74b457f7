import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * Serves a request as if it had not asked for another protocol, as RFC 9110 (7.8) lets a server do. Java's HttpClient and
 * `curl --http2` ask for HTTP/2 each time, and a server that listens for WebSockets is handed all of them as upgrades, body
 * unread. The bytes go back to where they came from, without the wish.
 */
export function serveWithoutUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method = 'GET', url = '/', rawHeaders } = request;
  const wantsClose = /\bclose\b/i.test(request.headers.connection ?? '');
  let text = `${method} ${url} HTTP/1.1\r\n${wantsClose ? 'connection: close\r\n' : ''}`;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    if (!/^(connection|upgrade|http2-settings)$/i.test(name)) text += `${name}: ${value}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}
