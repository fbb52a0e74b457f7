import { escapeHtml, OWN_POLICY, renderFrame, scriptValue, type PageNonces, type PagePolicy } from './page-frame.js';
import type { Site } from './site.js';

/** What runs here, for people who open the address in a browser. */
export interface About {
  readonly collections: readonly { readonly name: string; readonly type: string; readonly source: string }[];
}

/** A field that devices may write, for the example: `visits.notes`. */
export interface WritableField {
  readonly collection: string;
  readonly field: string;
}

const SANDBOX_SCRIPT =
  'https://embeddable-sandbox.cdn.apollographql.com/_latest/embeddable-sandbox.umd.production.min.js';

/**
 * Besides our own: of Apollo Sandbox its script and its frame. The frame asks through this page, so the page itself talks to
 * nobody but us.
 */
export const LANDING_POLICY: PagePolicy = {
  ...OWN_POLICY,
  'script-src': ['https://embeddable-sandbox.cdn.apollographql.com'],
  'frame-src': ['https://sandbox.embed.apollographql.com'],
};

/** @param page.origin how the reader reached us, like `http://localhost:4000` */
export function renderLandingPage(page: {
  readonly about: About;
  readonly writable: WritableField | null;
  readonly site?: Pick<Site, 'path' | 'title'> | undefined;
  readonly origin: string;
  readonly nonces: PageNonces;
}): string {
  const { about, writable, site, origin, nonces } = page;
  const endpoint = `${origin}/graphql`;
  const body = `
<main>
  <header>
    <h1>Tidegate</h1>
    <p>A sync gateway: apps that are offline most of the time <b>pull</b> what changed and <b>push</b> what they changed;
    Tidegate keeps it in step with the systems behind it.</p>
  </header>
  <section aria-labelledby="endpoint">
    <h2 id="endpoint">Endpoint</h2>
    <p><code>POST ${escapeHtml(endpoint)}</code>, and graphql-ws on the same address for hints.</p>
    ${site === undefined ? '' : `<p><a class="button" href="${escapeHtml(site.path)}">${escapeHtml(site.title)}</a></p>`}
    <p><a class="button" href="/explorer">Open the local explorer</a> <span class="soft">works without the internet</span></p>
  </section>
  <section aria-labelledby="collections">
    <h2 id="collections">Collections</h2>
    ${renderCollections(about)}
  </section>
  <div class="stack">
  <section aria-labelledby="pull">
    <h2 id="pull">Pull</h2>
    <p>From <code>since: null</code> everything that is yours; afterwards from the <code>checkpoint</code> of the last page.
    Go on while <code>hasMore</code>.</p>
    <pre tabindex="0">${escapeHtml(PULL)}</pre>
    <pre tabindex="0">${escapeHtml(curl(endpoint, { query: PULL }))}</pre>
  </section>
  <section aria-labelledby="headers">
    <h2 id="headers">Headers</h2>
    <pre tabindex="0">Tidegate-Device: my-phone
Authorization: Bearer &lt;token&gt;</pre>
    <p>The device id is needed to push, and to get receipts; a device keeps its own for ever. Development mode takes no
    token. Over graphql-ws the same go into <code>connectionParams</code> as <code>device</code> and
    <code>authorization</code>.</p>
  </section>
  </div>
  <section aria-labelledby="push">
    <h2 id="push">Push</h2>
    ${renderPush(endpoint, writable)}
  </section>
  <section aria-labelledby="sandbox-title" class="wide">
    <h2 id="sandbox-title">Apollo Sandbox</h2>
    <p id="sandbox-state" role="status">Apollo Sandbox comes from the internet and needs JavaScript. Looking for it …</p>
    <div id="sandbox" hidden></div>
  </section>
</main>`;
  return renderFrame({ title: 'Tidegate', style: STYLE, body, script: sandboxScript(origin), nonces });
}

const PULL = `{
  pull(since: null, limit: 10) {
    changes { collection id version kind changedAt json }
    checkpoint
    hasMore
  }
}`;

const PUSH = `mutation Push($changes: [ChangeInput!]!) {
  push(changes: $changes) {
    results { changeId status error { code message } }
  }
}`;

function renderCollections({ collections }: About): string {
  if (collections.length === 0) return '<p>None: the configuration has no connector with a collection.</p>';
  const rows = collections.map(
    ({ name, type, source }) =>
      `<tr><td><code>${escapeHtml(name)}</code></td><td><code>${escapeHtml(type)}</code></td><td>${escapeHtml(source)}</td></tr>`,
  );
  return `<table><thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Source</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function renderPush(endpoint: string, writable: WritableField | null): string {
  if (writable === null)
    return '<p>See <code>push</code> and <code>ChangeInput</code> in the schema: the explorer shows it.</p>';
  const variables = {
    changes: [
      {
        changeId: 'my-first-change',
        collection: writable.collection,
        id: '<id of a pulled record>',
        kind: 'UPSERT',
        baseVersion: '<its version>',
        changedAt: '2026-01-01T12:00:00.000Z',
        json: { [writable.field]: 'changed on my phone' },
      },
    ],
  };
  return `<p>Put in the <code>id</code> and <code>version</code> of a record that you pulled. Sending the same
    <code>changeId</code> again is harmless.</p>
    <pre tabindex="0">${escapeHtml(PUSH)}</pre>
    <pre tabindex="0">${escapeHtml(JSON.stringify(variables, null, 2))}</pre>
    <details><summary>With curl</summary><pre tabindex="0">${escapeHtml(curl(endpoint, { query: PUSH, variables }))}</pre></details>`;
}

function curl(endpoint: string, request: object): string {
  const text = JSON.stringify(request).replaceAll('\\n', ' ').replace(/ {2,}/g, ' ');
  return `curl -s ${endpoint} -H 'content-type: application/json' \\\n  -H 'tidegate-device: my-phone' \\\n  -d '${text}'`;
}

function sandboxScript(origin: string): string {
  const options = {
    target: '#sandbox',
    initialState: { document: PULL, headers: { 'tidegate-device': 'sandbox' }, pollForSchemaUpdates: false },
    endpointIsEditable: false,
    // Styles set by scripts are refused by the page's policy; the page has them itself.
    allowDynamicStyles: false,
    runTelemetry: false,
  };
  return `
(function () {
  // Behind TLS the browser knows our address better than we do.
  document.querySelectorAll('pre, p code').forEach(function (shown) {
    shown.textContent = shown.textContent.replaceAll(${scriptValue(origin)}, location.origin);
  });
  var options = ${scriptValue(options)};
  options.initialEndpoint = location.origin + '/graphql';
  options.initialSubscriptionEndpoint = options.initialEndpoint.replace(/^http/, 'ws');
  var state = document.getElementById('sandbox-state');
  var target = document.getElementById('sandbox');
  var script = document.createElement('script');
  script.src = ${scriptValue(SANDBOX_SCRIPT)};
  script.onload = function () {
    try {
      new window.EmbeddedSandbox(options);
      target.hidden = false;
      state.textContent = 'Loaded from the internet; what you send goes from this page straight to the gateway.';
    } catch (fault) {
      unavailable('it was loaded but does not start: ' + fault.message);
    }
  };
  script.onerror = function () { unavailable('it comes from the internet, which cannot be reached from here'); };
  document.head.appendChild(script);
  function unavailable(why) {
    state.textContent = 'Apollo Sandbox is not available: ' + why + '. The local explorer works without the internet: ';
    var link = document.createElement('a');
    link.href = '/explorer';
    link.textContent = 'open it';
    state.append(link, '.');
  }
})();`;
}

const STYLE = `
main { max-width: 1200px; margin: 0 auto; padding: 2rem 1.25rem; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); }
header, .wide { grid-column: 1 / -1; }
h1 { margin: 0; font-size: 2rem; letter-spacing: -.02em; }
h2 { margin: 0 0 .5rem; font-size: 1.05rem; }
header p { margin: .25rem 0 0; max-width: 48rem; color: var(--soft); }
main { align-items: start; }
.stack { display: grid; gap: 1rem; min-width: 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.25rem; min-width: 0; }
section p { margin: .25rem 0 .75rem; }
.soft { color: var(--soft); }
.button { display: inline-block; padding: .35rem .9rem; border-radius: 6px; background: var(--accent);
  color: var(--on-accent); font-weight: 600; text-decoration: none; margin-right: .5rem; }
pre { background: var(--code); border-radius: 6px; padding: .75rem; margin: 0 0 .75rem; overflow-x: auto;
  white-space: pre-wrap; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; padding: .25rem .5rem .25rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; }
summary { cursor: pointer; color: var(--soft); margin-bottom: .5rem; }
#sandbox { height: 80vh; }
#sandbox iframe { width: 100%; height: 100%; border: none; border-radius: 6px; background: #fff; }
`;
