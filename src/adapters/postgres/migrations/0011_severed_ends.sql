-- How many attempts at a job ended because the database fell over under them, or the way to it was cut.
ALTER TABLE jobs ADD COLUMN severed_ends integer NOT NULL DEFAULT 0;
