"""What the exporter knows of each AWS storage service: one module a service, one line a service in `registry`."""
