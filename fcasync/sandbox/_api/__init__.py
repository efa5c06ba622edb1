"""What Stripe answers: pure functions from a request to a response."""
