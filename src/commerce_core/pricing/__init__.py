"""What a unit of a product costs, and why."""
