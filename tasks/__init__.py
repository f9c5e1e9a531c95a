"""ACTS: each function one side effect that can be tried again."""
