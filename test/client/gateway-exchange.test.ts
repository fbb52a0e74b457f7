import { GLUE_DOCUMENTS, openExchange } from '../../src/client/gateway-exchange.js';

test('a request that hangs is given up, so that what waits behind it goes on', async () => {
  const silent = (_url: unknown, request?: RequestInit): Promise<Response> =>
    new Promise((_resolve, reject) => {
      request?.signal?.addEventListener('abort', () => reject(request.signal?.reason as Error));
    });
  const exchange = openExchange({ url: 'http://ward.example/graphql', device: 'tablet', fetch: silent, timeoutMs: 1 });
  await expect(exchange.ask(GLUE_DOCUMENTS.fields, {})).rejects.toThrow('expected an answer within 1 ms');
});
