"""The Grafana dashboards of the exporter, and the program that writes them."""
