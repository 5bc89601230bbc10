"""`commerce demo`: a guided tour, from files to a catalog, orders and reports."""
