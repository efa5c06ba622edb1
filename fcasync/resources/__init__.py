"""Stripe's operations as methods: ``client.accounts``, ``client.sessions``, ..."""
