"""`python -m exporter` is `storage-exporter`."""

from exporter.cli import main

main(prog_name="storage-exporter")
