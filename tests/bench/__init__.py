"""The benchmark: a simulated estate in a process of its own, the exporter in another, and what that costs."""
