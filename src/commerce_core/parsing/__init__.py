"""From the bytes of a raw file to records: the reference that every engine equals."""
