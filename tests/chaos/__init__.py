"""`make chaos`: a season under faults, compared with the same season played by the core alone."""
