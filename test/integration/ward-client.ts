/** What a pull of patients shows of one. */
export interface PulledPatient {
  readonly id: string;
  readonly kind: string;
  readonly version: string;
  readonly json: Readonly<Record<string, unknown>> | null;
}

export interface PatientPage {
  readonly changes: readonly PulledPatient[];
  readonly checkpoint: string;
  readonly receipts: readonly { readonly changeId: string; readonly error: { readonly message: string } | null }[];
}

interface Pushed {
  readonly status: string;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly conflict: { readonly yours: unknown } | null;
}

interface Answered {
  readonly pull: PatientPage;
  readonly push: { readonly results: readonly [Pushed] };
  readonly outbox: { readonly changes: readonly { intentNo: string; state: string; fields: unknown }[] };
  readonly conflicts: { readonly conflicts: readonly { changeId: string; conflict: { yours: unknown } }[] };
}

/** A device in front of a ward's gateway. */
export interface WardClient {
  pull(since?: string | null): Promise<PatientPage>;
  push(changeId: string, id: string, baseVersion: string | null, json: object): Promise<Pushed>;
  outbox(): Promise<Answered['outbox']['changes']>;
  conflicts(): Promise<Answered['conflicts']['conflicts']>;
  /** The bytes of an answer, whatever it says. */
  post(body: object): Promise<string>;
}

/** @param headers besides those of every device, like `authorization` */
export function createWardClient(urlOf: () => string, headers: Readonly<Record<string, string>> = {}): WardClient {
  async function post(body: object): Promise<string> {
    const sent = { 'content-type': 'application/json', 'tidegate-device': 'tablet', ...headers };
    return (await fetch(`${urlOf()}/graphql`, { method: 'POST', headers: sent, body: JSON.stringify(body) })).text();
  }

  async function ask(query: string, variables: object = {}): Promise<Answered> {
    const { data, errors } = JSON.parse(await post({ query, variables })) as { data: Answered; errors?: unknown };
    expect(errors).toBeUndefined();
    return data;
  }

  return {
    post,
    async pull(since = null) {
      const fields = 'changes { id kind version json } checkpoint receipts { changeId error { message } }';
      return (await ask(`query ($since: Checkpoint) { pull(since: $since) { ${fields} } }`, { since })).pull;
    },
    async push(changeId, id, baseVersion, json) {
      const own = { changeId, collection: 'patients', id, kind: 'UPSERT', baseVersion, json };
      const mutation = `mutation ($changes: [ChangeInput!]!) {
        push(changes: $changes) { results { status error { code message } conflict { yours } } }
      }`;
      return (await ask(mutation, { changes: [{ ...own, changedAt: '2026-01-01T08:00:00Z' }] })).push.results[0];
    },
    outbox: async () => (await ask('{ outbox { changes { intentNo state fields } } }')).outbox.changes,
    conflicts: async () =>
      (await ask('{ conflicts { conflicts { changeId conflict { yours } } } }')).conflicts.conflicts,
  };
}
