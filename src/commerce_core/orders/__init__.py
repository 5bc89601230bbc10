"""Orders: lines frozen at the prices of the moment."""
