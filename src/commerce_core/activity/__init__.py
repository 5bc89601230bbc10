"""What the platform announces, and who did what."""
