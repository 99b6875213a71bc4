"""The chart: rendered, held to schemas and invariants, installed, and broken on purpose."""
