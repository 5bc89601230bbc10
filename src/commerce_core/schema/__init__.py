"""What a feed may contain: its fields, how their cells are read, and a record's problems."""
