"""The routes, a module for each noun; every one calls one use case."""
