"""What workers do, whatever it is about: attempts under a lease, and tasks in lanes."""
