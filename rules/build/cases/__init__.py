"""What each alert must do, written down by hand, one module a rule file; `shapes` makes promtool's tests of it."""
