import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { ERROR_CATALOGUE, SyncError, type ErrorCode } from '../core/errors.js';
import type { Log } from '../core/ports.js';

/** Codes of GraphQL's own faults, as Apollo names them, to ours. */
const OF_GRAPHQL: Readonly<Record<string, ErrorCode>> = {
  GRAPHQL_PARSE_FAILED: 'BAD_REQUEST',
  GRAPHQL_VALIDATION_FAILED: 'BAD_REQUEST',
  BAD_USER_INPUT: 'BAD_REQUEST',
  BAD_REQUEST: 'BAD_REQUEST',
  OPERATION_RESOLUTION_FAILURE: 'BAD_REQUEST',
  PERSISTED_QUERY_NOT_SUPPORTED: 'BAD_REQUEST',
  PERSISTED_QUERY_NOT_FOUND: 'BAD_REQUEST',
};

/**
 * Anything thrown behind a resolver, as GraphQL answers it: code, retryable, advice and the HTTP status of the catalogue.
 * What is not a SyncError becomes INTERNAL and is logged with its cause; nothing of it reaches the device.
 */
export function toGraphqlError(thrown: unknown, log: Log): GraphQLError {
  if (thrown instanceof GraphQLError) return thrown;
  const error = SyncError.from(thrown, 'INTERNAL', 'a fault of the gateway');
  if (error.code === 'INTERNAL') log.error('a request failed', { message: error.message, cause: causeOf(thrown) });
  const message = error.code === 'INTERNAL' ? 'a fault of the gateway; its log has the reason' : error.message;
  return new GraphQLError(message, {
    extensions: { ...describeCode(error.code), ...fieldOf(error), ...waitOf(error), http: { status: error.status } },
  });
}

/** Runs a use case; what it throws becomes GraphQL's. */
export async function answering<T>(log: Log, useCase: () => Promise<T>): Promise<T> {
  try {
    return await useCase();
  } catch (thrown) {
    throw toGraphqlError(thrown, log);
  }
}

/** Gives every error that leaves the same extensions: GraphQL's own faults keep their message and get our code beside. */
export function createFormatError(
  log: Log,
): (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError {
  return (formatted, error) => {
    const given = formatted.extensions?.['code'];
    const code = typeof given === 'string' ? given : '';
    if (Object.hasOwn(ERROR_CATALOGUE, code) && 'advice' in (formatted.extensions ?? {})) return formatted;
    const own = isRequestFault(error) ? 'BAD_REQUEST' : OF_GRAPHQL[code];
    if (own === undefined) {
      const original = error instanceof GraphQLError ? (error.originalError ?? error) : error;
      const { message, extensions } = toGraphqlError(
        original instanceof GraphQLError ? original.message : original,
        log,
      );
      const { http: _status, ...rest } = extensions;
      return { ...formatted, message, extensions: rest };
    }
    return { ...formatted, extensions: { ...formatted.extensions, ...describeCode(own), reason: code } };
  };
}

/**
 * Faults of a request that only show when it is executed, like null for a variable that fitted by its default: GraphQL words
 * them, and gives them no code.
 */
export function isRequestFault(error: unknown): boolean {
  const origin = error instanceof GraphQLError ? (error.originalError ?? error) : null;
  return origin instanceof GraphQLError && /^(Argument "|Too many errors processing variables)/.test(origin.message);
}

function describeCode(code: ErrorCode): { code: ErrorCode; retryable: boolean; advice: string } {
  const { retryable, advice } = ERROR_CATALOGUE[code];
  return { code, retryable, advice };
}

function fieldOf(error: SyncError): { readonly field?: string } {
  return error.field === undefined ? {} : { field: error.field };
}

function waitOf({ retryAfterMs }: SyncError): { readonly retryAfterMs?: number } {
  return retryAfterMs === undefined ? {} : { retryAfterMs };
}

function causeOf(thrown: unknown): string {
  const cause = thrown instanceof SyncError ? (thrown.cause ?? thrown) : thrown;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
