"""Fetching: what a worker does to get the files of sources that are fetched, from look to feed."""
