"""What a feed may contain: fields, how a cell of each reads, and the problems a record can have."""
