"""Stock: the units of products that orders deduct from what partners have."""
