"""How a stall climbs: reminders, rungs, cut-offs, and the states of a chase."""
