"""The options of every command: frozen, documented, checked; the command line is made from these and nothing else."""
