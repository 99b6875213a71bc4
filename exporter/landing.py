"""
The landing page: where everything is, and how things stand. Pure.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

_LINKS = (
    ("/metrics", "series of AWS and of the exporter itself"),
    ("/-/plan", "what asking CloudWatch costs, and what is due or deferred: JSON, or text by Accept: text/plain"),
    ("/-/ready", "whether the first pass is done"),
    ("/-/healthy", "whether the jobs run"),
    ("/-/sd/efs", "EFS mount targets as http_sd, for a TCP probe of port 2049"),
    ("/-/sd/elasticache", "cache endpoints as http_sd, for a probe or a Redis exporter"),
)

_FRONT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>storage-exporter</title>
<style>body {{ font: 16px/1.5 sans-serif; margin: 2em auto; max-width: 50em; padding: 0 1em }}
th {{ text-align: left; padding-right: 2em; font-weight: normal; color: #555 }}</style></head>
<body><h1>storage-exporter</h1>
<p>The AWS storage tier as Prometheus metrics: EBS, EFS, S3 and ElastiCache beside their limits.</p>
<ul>{links}<li>/-/reload: POST, reads the configuration again</li></ul>
<table>{rows}</table></body></html>
"""


def page(facts: Mapping[str, str]) -> str:
    """The page as HTML, with *facts*: heading to text."""
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in facts.items())
    links = "".join(f'<li><a href="{path[1:]}">{path}</a>: {html.escape(text)}</li>' for path, text in _LINKS)
    return _FRONT.format(rows=rows, links=links)
