-- Backfills: fetches of the files that a folder has already. Their tasks are of a kind of their own, so that versions
-- that don't know this leave them alone.
-- What the backfill takes; NULL: the fetch is none.
ALTER TABLE fetches ADD COLUMN backfill jsonb;
