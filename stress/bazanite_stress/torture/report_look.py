"""How a report looks: its style sheet and its script, which stand in the page itself."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark;
  --ground: #fcfcfb; --card: #ffffff; --text: #1c2126; --quiet: #5b646e; --line: #d9dee3;
  --band: #eef1f4; --good: #1a7f4b; --bad: #c62f3b; --warn: #9a6700;
  --a: #2f6fde; --b: #c2571a; --c: #7b4cc4; --d: #0f8a7e; --life: #b9d0f5; --recovery: #f6d9a8; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #14171a; --card: #1b2024; --text: #e6eaee; --quiet: #9aa5b0; --line: #343c44;
  --band: #23292f; --good: #4cc38a; --bad: #ff6f76; --warn: #e3b341;
  --a: #7fadff; --b: #f0935a; --c: #bb99f5; --d: #4fc7b9; --life: #2f4a75; --recovery: #5e4716; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem clamp(.75rem, 3vw, 2rem) 4rem;
  background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.1rem; font-weight: 600; color: var(--quiet); margin: .5rem 0; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
h2 { font-size: 1.2rem; margin: 0 0 .25rem; }
section, .verdict { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1rem clamp(.75rem, 2vw, 1.25rem); margin: 1rem 0; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.quiet, figcaption, .axis, .key { color: var(--quiet); font-size: .875rem; }
.verdict { border-left: .5rem solid var(--tone); }
.verdict strong { display: block; font-size: clamp(1.6rem, 5vw, 2.4rem); line-height: 1.2;
  color: var(--tone); }
.survived { --tone: var(--good); } .lost { --tone: var(--bad); }
.not-measured { --tone: var(--warn); }
dl.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr));
  gap: .75rem 1rem; margin: 0; }
dl.figures div { min-width: 0; } dt { color: var(--quiet); font-size: .875rem; }
dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
dd.long { font-size: 1rem; }
pre, code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .85rem; }
pre { background: var(--band); border-radius: .4rem; padding: .6rem .75rem; margin: .25rem 0;
  max-height: 24rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.pair { display: grid; gap: 0 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.finding + .finding { border-top: 1px solid var(--line); margin-top: 1rem; padding-top: 1rem; }
figure { margin: 0; } svg { display: block; }
.wide { overflow-x: auto; }
.bars { display: grid; grid-template-columns: minmax(5rem, auto) 1fr auto; gap: .3rem .75rem;
  align-items: center; position: relative; }
.bars .track { background: var(--band); height: 1.1rem; position: relative; border-radius: .2rem; }
.bars .bar { display: block; height: 100%; background: var(--a); border-radius: .2rem;
  min-width: 1px; }
.bars .cut { background: linear-gradient(to right, var(--a) 85%, transparent); }
.bars .low { background: var(--warn); }
.bars .enough { position: absolute; top: -.2rem; bottom: -.2rem; width: 0;
  border-left: 2px dashed var(--text); }
.bars .number { text-align: right; font-variant-numeric: tabular-nums; }
details { margin-top: .75rem; }
summary { cursor: pointer; color: var(--quiet); font-size: .875rem; }
.scroll { max-height: 26rem; overflow: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .75rem .2rem 0; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, td.words, th.words { text-align: left; }
thead th { position: sticky; top: 0; background: var(--card); color: var(--quiet); }
.plot { display: grid; grid-template-columns: auto 1fr; gap: 0 .5rem; }
.plot .up { display: flex; flex-direction: column; justify-content: space-between;
  text-align: right; } .plot .along { grid-column: 2; display: flex;
  justify-content: space-between; }
.plot svg { width: 100%; height: 11rem; background: var(--band); border-radius: .3rem; }
.small svg { height: 6rem; }
.several { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); }
.area { fill: var(--a); fill-opacity: .25; } .stroke { fill: none; stroke: var(--a);
  stroke-width: 1.5; vector-effect: non-scaling-stroke; } .column { fill: var(--a); }
.lanes { display: grid; grid-template-columns: auto 1fr; gap: 0 .6rem; margin-top: .5rem; }
.names { display: grid; grid-auto-rows: 30px; padding-top: 22px; font-size: .8rem;
  color: var(--quiet); white-space: nowrap; } .names span { align-self: center; }
.lanes .wide { position: relative; border-radius: .3rem; }
.lanes .inner { min-width: 100%; position: relative; padding-top: 22px; }
.lanes .inner svg { width: 100%; background: var(--band); }
.ticks { position: absolute; inset: 0 0 auto 0; height: 22px; }
.ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.ticks span:first-child { transform: none; }
.ticks span:last-child { transform: translateX(-100%); }
.ticks .t4, .ticks .t16, .ticks .t64 { display: none; }
[data-zoomed="4"] .t4, [data-zoomed="16"] :is(.t4, .t16),
[data-zoomed="64"] :is(.t4, .t16, .t64) { display: inline !important; }
.life { fill: var(--life); } .recovery { fill: var(--recovery); }
.commit, .over, .dead { fill: none; vector-effect: non-scaling-stroke; }
.commit { stroke: var(--a); stroke-width: 1.5; } .over { stroke: var(--quiet); stroke-width: .6;
  stroke-opacity: .55; }
.dead { stroke-width: 7; stroke-linecap: round; }
.itself { stroke: var(--b); } .outside { stroke: var(--bad); } .all { stroke: var(--c); }
.ended { stroke: var(--d); }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin-top: .5rem; }
.key label, .key span { display: inline-flex; align-items: center; gap: .35rem; }
.key i { display: inline-block; width: .8rem; height: .8rem; border-radius: 50%; }
.key i.flat { border-radius: .15rem; height: .6rem; width: 1.1rem; }
.tools { display: none; gap: .4rem; flex-wrap: wrap; align-items: center; }
.js .tools { display: flex; }
button { font: inherit; font-size: .875rem; color: inherit; background: var(--band);
  border: 1px solid var(--line); border-radius: .3rem; padding: .15rem .7rem; cursor: pointer; }
button[aria-pressed=true] { border-color: var(--a); color: var(--a); }
.no-commit .commit, .no-over .over, .no-dead .dead { display: none; }
@media (max-width: 34rem) { [data-zoomed="1"] .t1:nth-child(128n+65) { display: none; } }
@media print { details, .tools { display: none !important; } section { break-inside: avoid; } }
"""

SCRIPT = """
document.documentElement.classList.add("js");
for (const chart of document.querySelectorAll("[data-timeline]")) {
  const inner = chart.querySelector(".inner"), wide = chart.querySelector(".wide");
  const zooms = [...chart.querySelectorAll("[data-zoom]")];
  for (const button of zooms) button.addEventListener("click", () => {
    const middle = (wide.scrollLeft + wide.clientWidth / 2) / inner.clientWidth;
    inner.dataset.zoomed = button.dataset.zoom;
    inner.style.width = button.dataset.zoom * 100 + "%";
    wide.scrollLeft = middle * inner.clientWidth - wide.clientWidth / 2;
    for (const other of zooms) other.setAttribute("aria-pressed", other === button);
  });
  for (const box of chart.querySelectorAll("[data-hide]")) box.addEventListener("change", () =>
    chart.classList.toggle("no-" + box.dataset.hide, !box.checked));
}
for (const button of document.querySelectorAll("[data-copy]"))
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    try { await navigator.clipboard.writeText(text); button.textContent = "copied"; }
    catch { getSelection().selectAllChildren(document.getElementById(button.dataset.copy)); }
  });
"""
