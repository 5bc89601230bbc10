"""Orders: lines frozen at the price of their moment."""
