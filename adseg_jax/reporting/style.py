"""The report's style sheet: light, dark, phone and print."""

_LIGHT = """
  --paper: #fff; --ink: #1c1f23; --faint: #626a73; --rule: #dcdfe3;
  --card: #f5f6f8; --heat: 37 99 235; --band: #f3c9c4;
  --c0: #2158d9; --c1: #c2570c; --c2: #0b7a70; --c3: #a3348f;
  --c4: #6b5b00; --c5: #5c636b;
"""

_DARK = """
  --paper: #14171a; --ink: #e4e7ea; --faint: #9aa3ac; --rule: #343a41;
  --card: #1d2126; --heat: 96 150 255; --band: #6b3733;
  --c0: #82a8ff; --c1: #f0a060; --c2: #4fc8bb; --c3: #e58fd5;
  --c4: #d3c04a; --c5: #aeb6be;
"""

STYLE = f"""
:root {{ color-scheme: light dark; {_LIGHT} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}
""" + """
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 1120px;
  background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  -webkit-text-size-adjust: 100%;
  print-color-adjust: exact; -webkit-print-color-adjust: exact;
}
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 3rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0; }
h1, h2, h3, p { overflow-wrap: anywhere; text-wrap: pretty; }
p { margin: 0 0 1rem; max-width: 46rem; }
.lead { font-size: 1.1rem; }
.verdict { max-width: 60rem; margin-bottom: .5rem; font-weight: 500; }
.faint, figcaption, .chart p { color: var(--faint); font-size: .875rem; }
figure { margin: 0; }
img { display: block; width: 100%; height: auto; border-radius: 3px; }
figcaption { margin-top: .3rem; }

.cards {
  display: grid; gap: .75rem; margin: 1.5rem 0 1rem;
  grid-template-columns: repeat(6, 1fr);
}
.card { background: var(--card); border-radius: 8px; padding: .8rem .9rem; }
.card b {
  display: block; font-size: 1.45rem; font-weight: 600; line-height: 1.4;
  white-space: nowrap;
  font-variant-numeric: tabular-nums;
}
.card span { display: block; font-size: .8125rem; color: var(--faint); }
.card.first { box-shadow: inset 3px 0 var(--c0); }

.keys { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: .4rem 0; }
.key {
  display: inline-flex; align-items: center; gap: .45rem; font-size: .875rem;
}
.key svg { width: 26px; height: 8px; flex: none; }
.swatch {
  display: inline-block; flex: none; width: .85em; height: .85em;
  border-radius: 2px; vertical-align: -.05em;
  box-shadow: inset 0 0 0 1px rgb(128 128 128 / .5);
}
td .swatch, th .swatch { margin-right: .5em; }
.void, .map, .wide {
  background: repeating-linear-gradient(
    45deg, #a9a9a9 0 3px, #d6d6d6 3px 6px);
}

.charts {
  display: grid; gap: 2.2rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr));
}
.charts.small {
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 260px), 1fr));
}
.charts.one { max-width: 36rem; }
.chart { display: flex; flex-direction: column; break-inside: avoid; }
.chart p { margin: .1rem 0 .2rem; }
.chart > svg { width: 100%; height: auto; margin-top: auto; }
svg text {
  font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums; fill: currentColor; fill-opacity: .72;
}
.grid { stroke: currentColor; stroke-opacity: .16; fill: none; }
.rule { stroke: currentColor; stroke-width: 1.3; stroke-dasharray: 1.5 4; }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.dot, .seed { stroke: none; }
.seed { fill-opacity: .55; }
.spread { stroke: none; fill-opacity: .17; }
.pair { fill: none; stroke: currentColor; stroke-opacity: .35; }
.mean { stroke: currentColor; stroke-width: 2.2; fill: none; }
.zero { stroke: currentColor; stroke-opacity: .7; fill: none; }
.band { stroke: none; fill: var(--band); fill-opacity: .5; }
.b1 { fill: var(--rule); }
.b2 { fill: var(--card); }
.d1 { stroke-dasharray: 6 3; }
.d2 { stroke-dasharray: 2 2.5; }
.d3 { stroke-dasharray: 9 3 2 3; }
""" + '\n'.join(
    f'.line.c{number} {{ stroke: var(--c{number}); }}\n'
    f'.dot.c{number}, .seed.c{number}, .spread.c{number} '
    f'{{ fill: var(--c{number}); }}' for number in range(6)
) + """

.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: separate; border-spacing: 0; font-size: .9rem; }
table.full { width: 100%; }
th, td {
  padding: .34rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--rule); font-variant-numeric: tabular-nums;
}
td, th { vertical-align: top; }
thead th {
  color: var(--faint); font-size: .8125rem; line-height: 1.3;
  vertical-align: bottom; white-space: normal;
}
thead th, tfoot th { font-weight: 600; }
th:first-child, td:first-child, .text td, .text th { text-align: left; }
tbody th { font-weight: 400; }
tfoot th, tfoot td { font-weight: 600; border-bottom: 0; }
tr.main > * { font-weight: 600; }
.text td { white-space: normal; min-width: 6rem; }
.text th { white-space: nowrap; }
.words th { white-space: normal; }
.words td:nth-child(2), .words th:nth-child(2), .words td:last-child,
.words th:last-child { text-align: left; }
.changed > * { font-weight: 600; }

.heat td { padding: .3rem 0; min-width: 2.3rem; text-align: center; }
.heat td { border: 1px solid var(--paper); }
.heat td { background: rgb(var(--heat) / var(--share)); }
.heat td.strong { color: var(--paper); }
.heat td.weak { color: var(--faint); }
.heat thead th { padding: .4rem 0; text-align: center; border: 0; }
.heat thead th span { writing-mode: vertical-rl; transform: rotate(180deg); }
.heat tbody th { border-bottom: 0; padding-left: 0; }

.file { margin: 1.4rem 0 .4rem; font-size: .875rem; font-weight: 500; }
.panel {
  display: grid; gap: .75rem; break-inside: avoid;
  grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
}
.map, .who { image-rendering: pixelated; }
.who { background: var(--card); }
.overview {
  display: grid; grid-template-columns: 1fr 1fr; gap: 1.25rem; margin-top: 1rem;
}
.overview figure:nth-child(-n+2), .overview figure:nth-child(odd):last-child {
  grid-column: 1 / -1;
}
.overview figure { break-inside: avoid; }

code { font-size: .9em; white-space: nowrap; }
details { margin: 1.2rem 0; }
summary { cursor: pointer; font-weight: 600; }
pre {
  margin: .3rem 0 1rem; padding: .7rem .9rem; border-radius: 6px;
  background: var(--card); font: .8125rem/1.5 ui-monospace, Menlo, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere;
}

@media (max-width: 1060px) {
  .cards { grid-template-columns: repeat(3, 1fr); }
}
@media (max-width: 600px) {
  body { padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.5rem; }
  h2 { margin-top: 2.3rem; }
  .cards { grid-template-columns: 1fr 1fr; gap: .6rem; }
  .card b { font-size: 1.3rem; }
  .panel { grid-template-columns: 1fr 1fr; gap: .6rem; }
  .overview { display: block; }
  .overview figure { margin-bottom: 1rem; }
  table { font-size: .8rem; }
  th, td { padding: .34rem .35rem; }
  thead th { font-size: .72rem; white-space: normal; }
  .scroll th:first-child {
    position: sticky; left: 0; padding-left: 0; background: var(--paper);
    white-space: normal;
  }
  .heat td { min-width: 2.1rem; }
  .chart svg text { font-size: 13.5px; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 11pt; }
  h2, .file { break-after: avoid; }
  tr, .card { break-inside: avoid; }
  .cards { grid-template-columns: repeat(3, 1fr); }
  .charts { grid-template-columns: 1fr 1fr; gap: 1.2rem; }
  .charts.small { grid-template-columns: 1fr 1fr 1fr; }
  .charts.one { grid-template-columns: 1fr; }
  tfoot { display: table-row-group; }
  .panel {
    grid-template-columns: repeat(auto-fit, minmax(110px, 1fr)); gap: .4rem;
  }
  .scroll { overflow: visible; }
  table { font-size: .72rem; }
  th, td { padding: .25rem .3rem; white-space: normal; }
  .heat { break-inside: avoid; }
  .overview figure:nth-child(n) { grid-column: auto; }
  h3 { break-after: avoid; }
}
"""
