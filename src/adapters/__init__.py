"""The outside world: one technology per module, none of which knows another."""
