"""Feeds, their sources and jobs, and the guards that judge them."""
