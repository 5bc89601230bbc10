"""Fuzzing of whatever reads what others send."""
