"""storage-exporter: the AWS storage tier of an EKS platform as Prometheus series."""

__version__ = "0.1.0"
