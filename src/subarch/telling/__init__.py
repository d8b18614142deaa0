"""How the result is told."""
