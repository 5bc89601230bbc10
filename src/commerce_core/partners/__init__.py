"""Partners, and the access rights of those who call."""
