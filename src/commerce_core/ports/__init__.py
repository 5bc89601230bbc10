"""What the core needs from outside, one module a noun; `store` is where to begin."""
