import { EXPLORER_SCRIPT } from './explorer-script.js';
import { OWN_POLICY, renderFrame, type PageNonces, type PagePolicy } from './page-frame.js';

/** Nothing from elsewhere: the explorer works without the internet. */
export const EXPLORER_POLICY: PagePolicy = OWN_POLICY;

/** A small GraphQL explorer in one page: editor, results, hints and the schema. */
export function renderExplorerPage(nonces: PageNonces): string {
  return renderFrame({ title: 'Tidegate explorer', style: STYLE, body: BODY, script: EXPLORER_SCRIPT, nonces });
}

const BODY = `
<header>
  <h1><a href="/">Tidegate</a> explorer</h1>
  <label class="device">Device <input id="device" value="explorer" spellcheck="false" autocomplete="off"></label>
  <button id="run" class="main" title="Ctrl-Enter">Run</button>
  <button id="again" disabled title="Runs the pull of the editor from the checkpoint of the last page">Pull again from the last checkpoint</button>
  <button id="listen" aria-pressed="false">Listen for hints</button>
  <span id="state" role="status"></span>
</header>
<main>
  <section class="editors" aria-label="Request">
    <label for="query">Query</label>
    <textarea id="query" class="query" spellcheck="false" autocomplete="off" autocapitalize="off"></textarea>
    <label for="variables">Variables <span class="soft">JSON</span></label>
    <textarea id="variables" spellcheck="false" autocomplete="off" autocapitalize="off"></textarea>
    <label for="headers">Headers <span class="soft">JSON</span></label>
    <textarea id="headers" spellcheck="false" autocomplete="off" autocapitalize="off"></textarea>
  </section>
  <section class="answers" aria-label="Answer">
    <h2 id="result-title">Result</h2>
    <pre id="result" tabindex="0" aria-labelledby="result-title" aria-live="polite"></pre>
    <h2 id="hints-title">Hints</h2>
    <ol id="hints" tabindex="0" aria-labelledby="hints-title"></ol>
  </section>
  <nav aria-label="Schema">
    <label for="search">Schema <span class="soft">click a field to insert it</span></label>
    <input id="search" type="search" placeholder="Find a type or field" autocomplete="off">
    <div id="schema"></div>
  </nav>
</main>`;

const STYLE = `
body { height: 100vh; display: flex; flex-direction: column; }
header { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; padding: .6rem 1rem; background: var(--card);
  border-bottom: 1px solid var(--line); }
h1 { font-size: 1.05rem; margin: 0 .6rem 0 0; } h1 a { text-decoration: none; }
h2, main label { display: block; font-size: .85rem; font-weight: 600; margin: 0 0 .25rem; }
main { flex: 1; min-height: 0; display: grid; grid-template-columns: 1fr 1.1fr 20rem; gap: 1rem; padding: 1rem; }
main > * { min-width: 0; min-height: 0; display: flex; flex-direction: column; }
.soft { color: var(--soft); font-weight: 400; }
input, textarea { width: 100%; padding: .4rem .5rem; border: 1px solid var(--line); border-radius: 6px; background: var(--card);
  color: var(--text); }
input { font: inherit; } .device input { width: 9rem; }
textarea { resize: none; flex: 1; margin-bottom: .75rem; tab-size: 2; } textarea.query { flex: 4; }
#result { flex: 1; margin: 0 0 .75rem; overflow: auto; padding: .6rem; background: var(--code); border: 1px solid var(--line);
  border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
#hints { flex: 0 0 7.5rem; margin: 0; overflow: auto; padding: .4rem .6rem .4rem 2rem; background: var(--code);
  border: 1px solid var(--line); border-radius: 6px; font-size: .85rem; }
#state { color: var(--soft); font-size: .9rem; } #state.bad { color: var(--bad); }
button[disabled] { opacity: .5; cursor: default; }
button[aria-pressed="true"] { border-color: var(--accent); color: var(--accent); font-weight: 600; }
#schema { flex: 1; overflow: auto; margin-top: .5rem; }
#schema details { border-bottom: 1px solid var(--line); padding: .25rem 0; }
#schema summary { cursor: pointer; font-weight: 600; overflow-wrap: anywhere; }
#schema p { margin: .15rem 0 .35rem; color: var(--soft); font-size: .82rem; }
#schema ul { list-style: none; margin: 0; padding: 0 0 0 .75rem; }
#schema .field { display: inline; border: 0; padding: 0; background: none; color: var(--accent); text-align: left; }
#schema .type { font: 12px ui-monospace, monospace; color: var(--soft); overflow-wrap: anywhere; }
@media (max-width: 60rem) {
  body { height: auto; } main { grid-template-columns: 1fr; }
  textarea { min-height: 5rem; } textarea.query { min-height: 14rem; } #result { min-height: 14rem; } #schema { max-height: 30rem; }
}
`;
