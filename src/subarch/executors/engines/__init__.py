"""What runs trainings, a file each, found by its name: ``opened`` makes the executor that a command names."""
