"""Partners, and who may do what."""
