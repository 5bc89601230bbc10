"""A feed against the catalog, by COPY and set operations: match, stage, decide, apply."""
