import type { Gateway } from '../server/app.js';
import type { Config } from '../server/config.js';
import type { Site } from '../server/site.js';

/** What the banner says beside the gateway itself. */
export interface RunningSource {
  readonly name: string;
  readonly url: string;
  readonly keeps: string;
}

/** A pushed change to paste, and what it does. */
export interface PushExample {
  readonly what: string;
  readonly change: Readonly<Record<string, unknown>>;
}

/** What is running where, what persists, in which mode, and what to paste. */
export function banner(running: {
  readonly gateway: Gateway;
  readonly config: Config;
  readonly sources: readonly RunningSource[];
  /** Null: an edit of the first collection that can be edited, with blanks to fill in. */
  readonly example: PushExample | null;
  readonly site?: Pick<Site, 'path' | 'title'>;
}): string {
  const { gateway, config, sources, site } = running;
  const endpoint = `${gateway.url}/graphql`;
  const signsIn = config.auth !== undefined;
  const example = running.example ?? editWithBlanks(gateway);
  const lines = [
    '',
    `  Tidegate is ready at ${gateway.url}`,
    '',
    `  GraphQL    ${endpoint} (HTTP and graphql-ws)`,
    ...(signsIn || site === undefined ? [] : [`  Demo       ${gateway.url}${site.path} (${site.title.toLowerCase()})`]),
    ...(signsIn ? [] : [`  Explorer   ${gateway.url}/explorer, or Apollo Sandbox from ${gateway.url}`]),
    `  Store      ${gateway.store}`,
    ...sources.map((source) => `  ${source.name.padEnd(10)} ${source.url} (keeps ${source.keeps})`),
    ...(gateway.tenants.length === 1 ? [] : [`  Tenants    ${gateway.tenants.join(', ')}`]),
    `  Persists   ${config.dataFolder}`,
    `  Mode       ${modeOf(config)}`,
    ...usersOf(config),
    '',
    '  Pull the first page:',
    '',
    ...request(
      endpoint,
      signsIn,
      '{"query":"{ pull(since: null, limit: 3) { changes { collection id version kind json } checkpoint hasMore } }"}',
    ),
    ...(example === null
      ? []
      : ['', `  ${example.what}:`, '', ...request(endpoint, signsIn, JSON.stringify(pushRequest(example.change)))]),
    '',
    '  Ctrl-C stops it.',
    '',
  ];
  return lines.join('\n');
}

function modeOf({ auth, developmentNetwork }: Config): string {
  if (auth !== undefined) return 'users sign in';
  return developmentNetwork === 'loopback'
    ? 'development: no sign-in, loopback only, every scope'
    : 'development: NO SIGN-IN, and not only on loopback. Keep strangers out by other means.';
}

function usersOf({ auth, developmentUsers = {} }: Config): readonly string[] {
  const users = Object.entries(developmentUsers).map(([name, { scopes }]) => {
    const seen = scopes === 'every' ? 'every scope' : scopes.join(', ');
    return `             as ${name}, who sees ${seen}: -H 'authorization: Bearer ${name}'`;
  });
  return auth === undefined ? users : [];
}

function request(endpoint: string, signsIn: boolean, body: string): readonly string[] {
  const token = signsIn ? ` -H "authorization: Bearer $TOKEN"` : '';
  return [
    `    curl -s ${endpoint} -H 'content-type: application/json' -H 'tidegate-device: my-phone'${token} \\`,
    `      -d '${body}'`,
  ];
}

function pushRequest(change: PushExample['change']): object {
  const query =
    'mutation($changes: [ChangeInput!]!) { push(changes: $changes) { results { changeId status error { code message } } } }';
  return { query, variables: { changes: [change] } };
}

function editWithBlanks({ collections }: Gateway): PushExample | null {
  const collection = collections.find(({ writes }) => writes.update);
  const field = collection?.fields.find(({ writable, type, list }) => writable && type === 'string' && !list);
  if (collection === undefined || field === undefined) return null;
  return {
    what: `Push an edit of one of its ${collection.name} (put in an id and version that pull gave)`,
    change: {
      changeId: 'my-first-change',
      collection: collection.name,
      id: '<id of a pulled record>',
      kind: 'UPSERT',
      baseVersion: '<its version>',
      changedAt: new Date().toISOString(),
      json: { [field.name]: 'changed on my phone' },
    },
  };
}
