"""Where an order stands: what was reached, what is waited for."""
