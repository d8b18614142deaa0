"""What a network can be, what it costs, and how a small one takes over a large one."""
