"""Who is written to, when, and with what together: quiet hours, digests, budgets."""
