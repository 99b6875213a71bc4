"""
The floor that speaks to AWS: credentials, clients, limits, error classes, prices. botocore appears here only.

What to ask and what the answers mean is for the floors above.
"""
