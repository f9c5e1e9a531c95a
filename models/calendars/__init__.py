"""Working days and working time of a party."""
