"""The events that the platform announces, and the audit of who did what."""
