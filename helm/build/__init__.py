"""What writes values.schema.json, README.md and files/sources.yaml of the chart: `make chart`."""
