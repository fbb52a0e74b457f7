/** What stands on the demo's page before its scripts have put the phones there. */
export const DEMO_BODY = `
<header class="top">
  <h1><a href="/">Tidegate</a> two phones and the back office</h1>
  <details>
    <summary>Try this</summary>
    <ol>
      <li>Put Nadia’s phone into airplane mode and edit the notes of a visit: the edit stays on her phone.</li>
      <li>In the back office, set another status for the same visit. Then switch her radio on: both edits stand, in the clinic’s system too.</li>
      <li>Do it again with the notes of one visit on both sides: she is shown both, and chooses.</li>
      <li>Give a visit of R-02 to R-01 in the back office: it leaves Omar’s phone and comes to Nadia’s.</li>
    </ol>
  </details>
</header>
<nav aria-label="Places"><a href="#nadia">Nadia’s phone</a> <a href="#omar">Omar’s phone</a> <a href="#office">Back office</a></nav>
<main id="places"><p>Opening the phones …</p></main>
<noscript><p>The phones need JavaScript.</p></noscript>`;

export const DEMO_STYLE = `
.top { padding: 1rem 1.25rem 0; max-width: 1500px; margin: 0 auto; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; } h1 a { text-decoration: none; }
.top summary { cursor: pointer; color: var(--soft); } .top ol { margin: .25rem 0; max-width: 60rem; }
nav { display: none; }
main { display: grid; gap: 1rem; padding: 1rem 1.25rem 2rem; max-width: 1500px; margin: 0 auto; align-items: start;
  grid-template-columns: repeat(3, minmax(0, 1fr)); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem; min-width: 0; }
.phone { border-radius: 26px; border-width: 3px; }
.phone.offline { border-style: dashed; }
section > header { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; justify-content: space-between; }
h2 { font-size: 1.05rem; margin: 0; } h3 { font-size: .95rem; margin: 0; }
.plane[aria-pressed="true"] { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.state, .hint { margin: .35rem 0 0; color: var(--soft); font-size: .88rem; font-variant-numeric: tabular-nums; }
.hint { color: var(--accent); }
.visits { list-style: none; margin: .75rem 0 0; padding: 0; display: grid; gap: .6rem; }
.visits li { border: 1px solid var(--line); border-radius: 8px; padding: .6rem .7rem; }
.visits li > header { display: flex; flex-wrap: wrap; gap: .25rem .5rem; justify-content: space-between; align-items: baseline; }
.badge { font-size: .8rem; padding: .05rem .5rem; border-radius: 99px; background: var(--code); border: 1px solid var(--line); }
form { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .3rem .6rem; margin-top: .4rem; align-items: center; }
form button { grid-column: 2; justify-self: start; }
label { color: var(--soft); font-size: .88rem; }
select, textarea { font: inherit; font-size: .92rem; width: 100%; padding: .2rem .4rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--back); color: var(--text); }
textarea { resize: vertical; }
.decide { margin-top: .5rem; border-color: var(--bad); }
.conflict { border-left: 3px solid var(--bad); padding: .1rem 0 .1rem .6rem; margin-top: .5rem; font-size: .92rem; }
.conflict p { margin: 0 0 .3rem; overflow-wrap: anywhere; } .conflict button { margin: 0 .4rem .2rem 0; }
@media (max-width: 1000px) { main { grid-template-columns: 1fr 1fr; } .office { grid-column: 1 / -1; } }
@media (max-width: 640px) {
  main { grid-template-columns: minmax(0, 1fr); padding: .75rem; } .top { padding: .75rem .75rem 0; }
  nav { display: flex; justify-content: space-between; gap: .5rem; position: sticky; top: 0; padding: .6rem .75rem; background: var(--back);
    border-bottom: 1px solid var(--line); z-index: 1; }
  section { scroll-margin-top: 3.2rem; }
}
`;
