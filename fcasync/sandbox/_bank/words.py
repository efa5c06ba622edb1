"""Stripe's words: what an account may be asked for, and what kinds of account there are."""

FEATURES = ("balance", "ownership", "transactions")
PERMISSIONS = ("balances", "ownership", "payment_method", "transactions")
PREFETCH = ("balances", "ownership", "transactions")
SUBCATEGORIES = ("checking", "credit_card", "line_of_credit", "mortgage", "savings")
