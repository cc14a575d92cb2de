"""The stylesheet of a report: one column or two, light or dark."""

CSS = """
:root {
  color-scheme: light dark;
  --page: #f4f6f8; --card: #ffffff; --line: #dfe4ea;
  --ink: #1f2429; --muted: #5d6772; --grid: #dde2e7;
  --blue: #2f6fb0; --orange: #c9610a; --good: #1a7f45; --bad: #b42318;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1317; --card: #181e24; --line: #2d363f;
    --ink: #e4e9ee; --muted: #9aa6b2; --grid: #2b343d;
    --blue: #4a90d9; --orange: #e08a3c; --good: #4cc07f; --bad: #f0766b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial,
    "DejaVu Sans", sans-serif;
}
header, main { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 32px; }
h1 { margin: 0 0 6px; font-size: 27px; line-height: 1.25; }
h2 { margin: 40px 0 4px; font-size: 20px; line-height: 1.3; }
h3 { margin: 0 0 8px; font-size: 15px; line-height: 1.4; }
p { margin: 0 0 12px; max-width: 75ch; }
h1, td, tbody th, code, dd, p { overflow-wrap: anywhere; }
.lead, figcaption, small, dt { color: var(--muted); }
.tiles, .grid {
  display: grid; gap: 16px; margin: 16px 0 0; align-items: start;
}
.tiles { grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); }
.grid { grid-template-columns: repeat(2, minmax(0, 1fr)); }
.card {
  margin: 0; padding: 16px; min-width: 0; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px;
}
.tiles .card { height: 100%; }
dl, dd { margin: 0; }
dt { font-size: 13px; }
dd { font-size: 13px; color: var(--muted); }
dd strong {
  display: block; font-size: 24px; line-height: 1.3; color: var(--ink);
}
.good strong { color: var(--good); }
.bad strong { color: var(--bad); }
svg { display: block; width: 100%; height: auto; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
/* The plots' own font is wider than these, so that everything fits. */
svg text { font-family: inherit !important; }
figcaption, small { display: block; font-size: 13px; line-height: 1.45; }
figcaption, table + small { margin-top: 8px; }
table {
  width: 100%; border-collapse: collapse; font-size: 14px;
  font-variant-numeric: tabular-nums;
}
th, td {
  padding: 5px 0 5px 12px; text-align: left; vertical-align: top;
  border-top: 1px solid var(--line); font-weight: 400;
}
th:first-child, td:first-child { padding-left: 0; }
thead th { border-top: 0; color: var(--muted); font-size: 13px; }
.number { text-align: right; }
td.number { white-space: nowrap; }
.dense th, .dense td { padding-top: 2px; padding-bottom: 2px; }
.wide, .card:only-child, .wide + .card:last-child { grid-column: 1 / -1; }
code span { display: inline-block; max-width: 100%; }
code { font: 13px/1.5 ui-monospace, Menlo, "DejaVu Sans Mono", monospace; }
main { padding-bottom: 40px; }
@media (max-width: 800px) {
  header, main { padding-left: 12px; padding-right: 12px; }
  header { padding-top: 20px; }
  h1 { font-size: 22px; }
  dd strong { font-size: 20px; }
  .grid { grid-template-columns: minmax(0, 1fr); }
  .card { padding: 12px; }
}
"""
