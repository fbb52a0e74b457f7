import type { IncomingMessage } from 'node:http';

/** Nonces of one answer: only scripts and styles that carry them run. */
export interface PageNonces {
  readonly script: string;
  readonly style: string;
}

/** A Content-Security-Policy; the nonces are added to `script-src` and `style-src` of each answer. */
export type PagePolicy = Readonly<Record<string, readonly (string | ((request: IncomingMessage) => string))[]>>;

/** What each of our pages may do: run what carries the nonce and talk to us, by HTTP and WebSocket. */
export const OWN_POLICY = {
  'default-src': ["'none'"],
  'script-src': [],
  'style-src': [],
  'img-src': ['data:'],
  // Not every browser counts WebSockets of the same host as 'self'. The guard has checked the host.
  'connect-src': ["'self'", ({ headers }) => `ws://${headers.host}`, ({ headers }) => `wss://${headers.host}`],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
} as const satisfies PagePolicy;

/** A lock gate, inline, so that no page asks for /favicon.ico. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='7' fill='%230f6b66'/%3E%3Cpath d='M9 8v9m7-9v9m7-9v9' stroke='white' stroke-width='3'/%3E%3Cpath d='M5 23q4-4 8 0t8 0 6 0' fill='none' stroke='%2390e0d0' stroke-width='3'/%3E%3C/svg%3E";

const SHARED_STYLE = `
:root { color-scheme: light dark; --back: #f6f8f8; --card: #fff; --text: #16211f; --soft: #5a6a68; --line: #d9e1df;
  --accent: #0f6b66; --on-accent: #fff; --code: #eef3f2; --bad: #a3262a; }
@media (prefers-color-scheme: dark) {
  :root { --back: #101615; --card: #182120; --text: #e3ecea; --soft: #9aacaa; --line: #2c3937; --accent: #5cc8bb;
    --on-accent: #08211e; --code: #111918; --bad: #ff8f8a; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
a { color: var(--accent); }
code, pre, textarea { font: 13px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
button { font: inherit; padding: .3rem .8rem; border: 1px solid var(--line); border-radius: 6px; background: var(--card);
  color: var(--text); cursor: pointer; }
button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
`;

/** A whole page of ours. `body` and `style` are markup: what comes from elsewhere in them must have gone through escapeHtml. */
export function renderFrame(page: {
  readonly title: string;
  readonly style: string;
  readonly body: string;
  readonly script: string;
  readonly nonces: PageNonces;
}): string {
  const { title, style, body, script, nonces } = page;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="${ICON}">
<style nonce="${nonces.style}">${SHARED_STYLE}${style}</style>
</head>
<body>
${body}
<script nonce="${nonces.script}">${script}</script>
</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A value as a script may contain it: no text can end the script. */
export function scriptValue(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
