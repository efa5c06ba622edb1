"""Paths in the source tree."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
"""Facts about Stripe's API: its specification, requests, signatures and published vectors."""
