"""The order, and everything told about it."""
