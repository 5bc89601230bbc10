"""What the core needs from outside, one module per noun; start with `store`."""
