"""What each command does, from its options to files in a run folder."""
