"""Sockets, pages and webhooks around the API."""
