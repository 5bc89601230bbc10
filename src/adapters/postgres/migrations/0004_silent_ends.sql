-- How many attempts at a job ended without a word. Not all do: a worker that is told to end gives its
-- job back. A constant default without a check is noted in the catalog alone: no row is read or
-- written, however many there are.
ALTER TABLE jobs ADD COLUMN silent_ends integer NOT NULL DEFAULT 0;
