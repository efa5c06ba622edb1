"""What a bulk job remembers: rows in an SQLite file, written in groups."""
