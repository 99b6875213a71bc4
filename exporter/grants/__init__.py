"""
How an AWS account lets the exporter in: a role, who may have it, what it may do, and what gives it to the pod.

`grant` says it as data, `terraform` and `shell` as text to be run by somebody else. Nothing here talks to AWS. Pure.
"""
