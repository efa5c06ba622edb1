"""What needs nothing else of the package: time, signatures, tables, money, redaction."""
