"""`commerce demo`: the whole way of a feed, narrated."""
