"""What is learned and answered: tasks, and the kinds of them."""
