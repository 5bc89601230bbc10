"""What a feed would do to the catalog, and what undoing one would."""
