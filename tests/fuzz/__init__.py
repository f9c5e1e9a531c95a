"""`make fuzz`: every parser and form, given what is nearly right, and what is meant to hurt."""
