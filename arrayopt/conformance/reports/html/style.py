"""The style of the page; colours were chosen to stay apart without red and green."""

STYLE = """
:root {
  --back: #ffffff; --raised: #f6f7f9; --text: #1c2127; --soft: #57606a; --line: #d5dae0; --link: #0b57b0;
  --good: #d9f2e3; --good-text: #0b5a34; --other: #dcebfb; --other-text: #0d4a86;
  --bad: #ffe0d1; --bad-text: #8c2a00; --none: #e9ebee; --none-text: #454c54;
  --reference: #b3420a; --match: #0b62b8; --allowed: #e4e7eb; --limit: #8a939d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #14171b; --raised: #1c2025; --text: #e4e7eb; --soft: #a0a8b2; --line: #353b43; --link: #7fb4f5;
    --good: #123d29; --good-text: #8fe0b3; --other: #14365c; --other-text: #a5cdfa;
    --bad: #57230b; --bad-text: #ffb894; --none: #30363d; --none-text: #c3cad2;
    --reference: #ff9660; --match: #6fb2ff; --allowed: #2a2f36; --limit: #77808a;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 90rem; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1.05rem; margin: 0 0 .75rem; overflow-wrap: anywhere; }
h4 { font-size: .95rem; margin: 1.25rem 0 .4rem; }
a { color: var(--link); }
h3 a { color: inherit; text-decoration: none; }
h3 a:hover { text-decoration: underline; }
code, pre { font: .86em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; }
pre { margin: .4rem 0 0; padding: .6rem .8rem; overflow-x: auto; background: var(--back); border: 1px solid var(--line);
  border-radius: 6px; }
pre code { font-size: 1em; overflow-wrap: normal; }
pre.formula { padding: .1rem 0; border: 0; background: none; color: var(--soft); }
ul { margin: 0; padding-left: 1.1rem; }
details { margin-top: .25rem; }
summary { cursor: pointer; color: var(--link); }
.counts { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .25rem 0; }
.badge, .chip { border-radius: 5px; background: var(--none); color: var(--none-text); }
.badge { padding: .1rem .5rem; font-size: .85rem; font-weight: 600; white-space: nowrap; }
.conforms { background: var(--good); color: var(--good-text); }
.dialect { background: var(--other); color: var(--other-text); }
.differs, .inconsistent { background: var(--bad); color: var(--bad-text); }
.legend, .facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .35rem 1rem; margin: .5rem 0; }
.legend dd, .facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.facts dt { color: var(--soft); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
.matrix { border-collapse: separate; border-spacing: 0; width: 100%; font-size: .85rem; }
.matrix th, .matrix td { padding: .35rem .45rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
.matrix tbody tr:last-child > * { border-bottom: 0; }
.matrix thead th { color: var(--soft); font-weight: 600; }
.matrix th:first-child { position: sticky; left: 0; background: var(--back); }
.chip { display: block; position: relative; padding: .15rem .4rem .15rem 1.5rem; margin-bottom: .25rem;
  min-width: 8rem; max-width: 13rem;
  text-decoration: none; overflow-wrap: break-word; line-height: 1.3; }
.chip:last-child { margin-bottom: 0; }
.chip:hover, .chip:focus-visible { outline: 2px solid currentColor; }
.symbol { position: absolute; left: .4rem; font-weight: 700; }
.options { display: block; font-size: .92em; }
.chip small { display: block; font-style: italic; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
article { margin: 0 0 1.25rem; padding: 1rem 1.1rem; background: var(--raised); border: 1px solid var(--line);
  border-radius: 8px; scroll-margin-top: .5rem; }
article:target { outline: 2px solid var(--link); }
.kind { font: .86em ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
strong.kind { font-weight: 700; color: var(--bad-text); }
.keys { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: 0 0 .4rem; font-size: .85rem; color: var(--soft); }
.key::before { content: ""; display: inline-block; width: .7em; height: .7em; margin-right: .4em; }
.key.reference::before { background: var(--reference); border-radius: 50%; }
.key.match::before { background: var(--match); }
.key.allowed::before { background: var(--allowed); border-top: 2px solid var(--limit); }
details > .panels { margin-top: .5rem; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .75rem; }
figure { margin: 0; }
figcaption { font-size: .8rem; color: var(--soft); }
.plot { display: block; width: 100%; height: auto; background: var(--back); border: 1px solid var(--line);
  border-radius: 6px; }
.plot text { font: 9px system-ui, "DejaVu Sans", sans-serif; fill: var(--soft); }
.plot .grid { stroke: var(--line); stroke-width: .5; }
.plot .axis { stroke: var(--limit); stroke-width: 1; }
.plot .allowed { fill: var(--allowed); }
.plot polyline { fill: none; stroke-width: 1.5; }
.plot .limit { stroke: var(--limit); stroke-width: 1; }
.plot .reference polyline { stroke: var(--reference); }
.plot .match polyline { stroke: var(--match); stroke-dasharray: 4 3; }
.plot .reference circle { stroke: var(--reference); fill: var(--reference); }
.plot .match rect { stroke: var(--match); fill: var(--match); }
.plot .within { fill: var(--back) !important; }
@media (max-width: 46rem) {
  body { padding: 1rem .75rem 3rem; }
  .legend, .facts { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .facts dt { margin-top: .5rem; font-size: .85rem; }
  .wide { border: 0; overflow: visible; }
  .matrix, .matrix tbody, .matrix tr, .matrix td, .matrix th { display: block; }
  .matrix thead, .matrix td:empty { display: none; }
  .matrix tr { border: 1px solid var(--line); border-radius: 8px; margin-bottom: .5rem; padding: .3rem; }
  .matrix th, .matrix td { border: 0; padding: .15rem .3rem; }
  .matrix th:first-child { position: static; background: none; }
  .matrix td::before { content: attr(data-framework); display: block; color: var(--soft); font-size: .8rem; }
  .chip { max-width: none; }
  article { padding: .8rem; }
}
@media print { .wide { overflow: visible; } article { break-inside: avoid; } }
"""
