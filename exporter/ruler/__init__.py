"""
The rules as data, and how they get to where they are evaluated.

`shapes` is what a rule is, `pack` reads the shipped files, `conventions` is what they keep to, `thresholds` their
numbers, `overrides` what a configuration makes of them; `render` writes them for others, `plan` compares them with what
a ruler has, `client` speaks to its HTTP API and `sync` brings the two together. All pure but `pack`, `client` and
`sync`.
"""
