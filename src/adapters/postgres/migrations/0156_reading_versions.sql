-- By which version of reading a feed was read. NULL: before it was kept, so its bytes are read again.
ALTER TABLE publications ADD COLUMN reading_version integer;
