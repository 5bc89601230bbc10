"""The collections of a unit of work, one module a noun; feeds are ingested next door."""
