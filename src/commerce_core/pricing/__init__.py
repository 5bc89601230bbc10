"""What a unit costs, and why."""
