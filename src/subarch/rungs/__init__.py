"""The plainest rivals of what is made here: a file a rung."""
