-- Why the queue that reports new keys couldn't be read; NULL: it could.
ALTER TABLE pulls ADD COLUMN queue_error jsonb;
