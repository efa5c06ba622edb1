"""What a call costs, next to what people use instead: ``python -m benchmarks``."""
