"""What is held of the Grafana dashboards."""
