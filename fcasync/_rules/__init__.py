"""The rules of a call, pure: from arguments to bytes, and from an answer to a value or an error."""
