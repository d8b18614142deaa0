"""What authors of families are promised to be told: each check names what is wrong and what to do."""
