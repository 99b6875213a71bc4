"""Minutes of the exporter against a simulated AWS in which everything goes wrong in turn: `make soak`."""
