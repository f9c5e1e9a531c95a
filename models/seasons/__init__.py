"""A past season on a virtual clock."""
