"""The independent witness: a hand-made table and a plain boto3 reader that know nothing of the exporter's code."""
