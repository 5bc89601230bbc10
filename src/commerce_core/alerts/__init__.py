"""Alerts: who gets a message about what needs a person, when, and in which words."""
