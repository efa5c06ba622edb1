"""Goodput and waste of a bulk refresh under an unknown rate limit.

``python -m benchmarks.goodput [--quick]``: each competitor in turn refreshes as many accounts as
it can while the limit drops and recovers. Scores come from the server's ledger.
"""
