-- How many attempts at a job ended without a word. Not all do: a worker that is told to end gives its
-- job back. The constant default is noted in the catalog alone, so no row is rewritten.
ALTER TABLE jobs ADD COLUMN silent_ends integer NOT NULL DEFAULT 0 CHECK (silent_ends >= 0);
