"""What applying or reverting a feed would do to the catalog."""
