"""What is true at the bank: accounts from a seed, and what has changed since."""
