"""The look of Grafana's dark theme."""

from __future__ import annotations

STYLE = """
* { box-sizing: border-box; }
html { background: #111217; }
body { margin: 0 16px 24px; color: #CCCCDC; font: 13px/1.4 Inter, "DejaVu Sans", Helvetica, Arial, sans-serif; }
a { color: #6E9FFF; text-decoration: none; }
header { padding: 12px 0 10px; }
.first { display: flex; align-items: baseline; gap: 12px; white-space: nowrap; overflow: hidden; }
h1 { font-size: 18px; font-weight: 500; margin: 0; }
.says { color: #8E8E99; flex: 1; overflow: hidden; text-overflow: ellipsis; }
.time { border: 1px solid #2F3037; border-radius: 2px; padding: 4px 10px; background: #181B1F; }
.second { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 10px; }
.fill { flex: 1; }
.variable { display: inline-flex; border: 1px solid #2F3037; border-radius: 2px; background: #181B1F; }
.variable label { padding: 4px 8px; color: #CCCCDC; border-right: 1px solid #2F3037;
  font-size: 12px; font-weight: 500; }
.variable b { padding: 4px 10px; font-weight: 400; background: #111217; }
.head { border: 1px solid #2F3037; border-radius: 2px; padding: 4px 10px; background: #22252B; color: #CCCCDC; }
.grid { position: relative; }
.row { position: absolute; left: 0; right: 0; height: 30px; line-height: 30px; font-size: 16px; font-weight: 500; }
.panel { position: absolute; background: #181B1F; border: 1px solid #25272D; border-radius: 2px; overflow: hidden; }
.title { height: 34px; display: flex; align-items: center; gap: 6px; padding: 0 8px; white-space: nowrap; }
h2 { font-size: 14px; font-weight: 500; margin: 0; }
.info { color: #8E8E99; border: 1px solid #8E8E99; border-radius: 50%; width: 13px; height: 13px; cursor: help;
  font: 600 9px/11px Inter, sans-serif; text-align: center; }
.links { margin-left: auto; font-size: 12px; display: flex; gap: 8px; }
.own { color: #8E8E99; }
.body { padding: 0 8px; overflow: hidden; }
.body svg { display: block; font-family: inherit; }
.nothing { display: flex; align-items: center; justify-content: center; text-align: center;
  color: #8E8E99; font-size: 16px; }
.stats { display: flex; }
.stat { overflow: hidden; }
.words { display: flex; flex-direction: column; justify-content: center; align-items: center;
  overflow: hidden; white-space: nowrap; }
.value { font-weight: 500; line-height: 1.15; }
.value a { color: inherit; }
.beside { display: flex; gap: 8px; }
.legend { display: flex; align-items: center; overflow: hidden; white-space: nowrap; font-size: 12px; }
.series { margin-right: 14px; white-space: nowrap; }
.series i { display: inline-block; width: 14px; height: 4px; border-radius: 1px; margin-right: 6px;
  vertical-align: middle; }
.more { color: #8E8E99; font-size: 11px; height: 16px; line-height: 16px; }
table { border-collapse: collapse; table-layout: fixed; }
td, th { padding: 0 6px; text-align: left; white-space: nowrap; overflow: hidden; font-weight: 400; }
th { color: #6E9FFF; font-size: 12px; font-weight: 500; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.legendtable { width: 100%; table-layout: auto; font-size: 12px; }
.legendtable td, .legendtable th { height: 22px; }
.rows td, .rows th { height: 30px; border-bottom: 1px solid #25272D; }
.table { overflow: hidden; }
.gauge { display: flex; align-items: center; justify-content: flex-end; gap: 6px; }
.gauge b { display: inline-block; background: #22252B; height: 16px; }
.gauge b i { display: block; height: 16px; }
.gauge em { font-style: normal; }
.markdown { overflow: hidden; }
.markdown p, .markdown ul { margin: 4px 0; }
.markdown h2, .markdown h3, .markdown h4, .markdown h5 { margin: 6px 0 2px; font-size: 15px; }
.markdown code, .logs { font-family: "DejaVu Sans Mono", monospace; font-size: 12px; }
.logs { overflow: hidden; }
.logs div { padding: 1px 0; overflow-wrap: anywhere; }
.logs .at { color: #8E8E99; }
.aside { color: #8E8E99; font: italic 12px Inter, "DejaVu Sans", sans-serif; }
"""
