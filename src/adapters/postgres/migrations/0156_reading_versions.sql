-- By which version of reading a feed was read; 4 is that of all versions that don't write it.
ALTER TABLE publications ADD COLUMN reading_version integer NOT NULL DEFAULT 4;
