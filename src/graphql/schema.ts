import 'reflect-metadata';
import { extendSchema, GraphQLSchema, isInterfaceType, parse, printSchema, validateSchema } from 'graphql';
import { buildSchemaSync } from 'type-graphql';
import type { Collection } from '../core/collection.js';
import { StartupError, SyncError } from '../core/errors.js';
import type { ChangeSource } from './change-source.js';
import { MutationResolver } from './mutation-resolver.js';
import { QueryResolver } from './query-resolver.js';
import { ConflictResolver, PushResultResolver, ReceiptResolver } from './record-resolvers.js';
import { FIELD_SCALARS } from './scalars.js';
import { SubscriptionResolver } from './subscription-resolver.js';
import { renderTypedSchema } from './typed-schema.js';
// Last: TypeGraphQL prints operations in the order in which their classes are made.
import { OperatorResolver } from './operator-resolver.js';
import { EpochResolver } from './epoch-resolver.js';
import { IngestResolver } from './ingest-resolver.js';
import { DeviceResolver } from './device-resolver.js';
import { AuditResolver } from './audit-resolver.js';
import { CheckResolver } from './check-resolver.js';
import { ErasureResolver } from './erasure-resolver.js';

/**
 * The schema of these collections: the static part from the decorated classes, the typed part from the collections. Pure:
 * two schemas in one process do not know of each other.
 *
 * @throws StartupError config - a collection's names cannot be a schema: the message says which and why
 */
export function createSchema(collections: readonly Collection[]): GraphQLSchema {
  const base = withFieldScalars(
    buildSchemaSync({
      resolvers: [
        QueryResolver,
        MutationResolver,
        SubscriptionResolver,
        OperatorResolver,
        EpochResolver,
        IngestResolver,
        DeviceResolver,
        AuditResolver,
        CheckResolver,
        ErasureResolver,
        ReceiptResolver,
        PushResultResolver,
        ConflictResolver,
      ],
      validate: false,
      skipCheck: true,
      // Hints come from the hub through `subscribe`; TypeGraphQL asks for one of its own all the same.
      pubSub: { publish: unused, subscribe: unused },
    }),
  );
  const sdl = renderTypedSchema(collections, base);
  // Names and shapes are checked as a whole by validateSchema, which says more than SDL validation does.
  const schema = sdl === '' ? base : extendSchema(base, parse(sdl), { assumeValidSDL: true });
  const faults = validateSchema(schema);
  if (faults.length > 0) {
    throw new StartupError(
      'config',
      `the collections do not make a GraphQL schema: ${faults.map((fault) => fault.message).join('; ')}`,
    );
  }
  const change = schema.getType('Change');
  // TypeGraphQL's own resolveType is asynchronous: a promise per record, a third of a page's time.
  if (isInterfaceType(change)) change.resolveType = (value: unknown) => (value as ChangeSource).__typename;
  return schema;
}

/** The schema as SDL, in the order of its definition: what client generators read. Ends with a line feed. */
export function printTidegateSchema(collections: readonly Collection[]): string {
  return `${printSchema(createSchema(collections))}\n`;
}

function withFieldScalars(schema: GraphQLSchema): GraphQLSchema {
  const config = schema.toConfig();
  return new GraphQLSchema({ ...config, types: [...config.types, ...FIELD_SCALARS] });
}

function unused(): never {
  throw new SyncError('INTERNAL', "TypeGraphQL's own publishing is not used");
}
