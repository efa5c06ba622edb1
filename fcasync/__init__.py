"""An async-first client for Stripe Financial Connections."""

from fcasync._version import __version__

__all__ = ["__version__"]
