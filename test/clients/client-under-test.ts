import { readFileSync } from 'node:fs';
import path from 'node:path';
import { PROJECT_FOLDER } from '../support/source-tree.js';
import type { CollectionName, RecordFields } from './round-system.js';

/** A client library, as the conformance matrix drives it. */
export interface ClientUnderTest {
  /** As the table names it. */
  readonly name: string;
  /** Of the library that is installed. */
  readonly version: string;
  /** A new installation of an app: its store is empty, nothing was asked yet. */
  open(place: ReplicaPlace): Promise<Replica>;
}

/** Where a replica finds its gateway, and who it is. */
export interface ReplicaPlace {
  /** Of the GraphQL endpoint, through a proxy that does what networks do. */
  readonly url: string;
  /** Sent with every request besides the device's id. */
  readonly headers: Readonly<Record<string, string>>;
  readonly device: string;
  /** What every request goes through: the matrix loses and doubles some. */
  readonly fetch: typeof fetch;
  /** Changes of one page, where the client lets it be chosen: small, so that there are several. */
  readonly pageSize: number;
  /** Instead of what the client does for an app that wipes. */
  readonly onRevoked?: () => void;
}

/** One installation: what it holds is the library's own store. */
export interface Replica {
  /** Every record that the app would show, by id; what is null is left out. */
  all(collection: CollectionName): Promise<ReadonlyMap<string, RecordFields>>;
  /** Made on the device, whether there is a network or not. */
  create(collection: CollectionName, id: string, fields: RecordFields): Promise<void>;
  edit(collection: CollectionName, id: string, fields: RecordFields): Promise<void>;
  remove(collection: CollectionName, id: string): Promise<void>;
  /**
   * Sends what was not sent and takes what is new, once, as the library does it. May reject, or resolve without having come through,
   * when there is no network; what was not sent is kept, and the next call goes on.
   */
  sync(): Promise<void>;
  /** Edits that were refused, by the ids of their records, as the app was told. */
  refusals(): readonly string[];
  /** Edits of which nobody can tell any more whether they took effect (F11), by the ids of their records, as the app was told. */
  unanswered(): readonly string[];
  /** Edits that cannot be sent as they are, by the ids of their records, as the app was told. Absent: such an edit is refused. */
  readonly waiting?: () => Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Of this package, or of one that it is tested with: all are pinned exactly. */
export function pinnedVersion(name: string): string {
  const own = JSON.parse(readFileSync(path.join(PROJECT_FOLDER, 'package.json'), 'utf8')) as {
    readonly version: string;
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  return own.devDependencies[name] ?? own.version;
}
