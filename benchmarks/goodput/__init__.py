"""Goodput and waste of a bulk refresh at a rate limit that nobody has been told.

``python -m benchmarks.goodput [--quick]``: each competitor in turn refreshes as many accounts as
it can while the limit drops and comes back. What counts is what the server wrote down.
"""
