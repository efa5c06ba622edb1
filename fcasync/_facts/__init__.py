"""Modules that import nothing else of the package: time, signatures, tables, money, redaction."""
