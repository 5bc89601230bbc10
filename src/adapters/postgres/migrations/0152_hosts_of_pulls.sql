-- The host that files come from, of which only some are fetched at once. NULL: one of Amazon's.
ALTER TABLE pulls ADD COLUMN host text COLLATE "C";
UPDATE pulls
SET host = rtrim(btrim(lower(substring(
        coalesce(settings ->> 'endpoint', url) FROM '^(?:https?|sftp)://(\[[^]]*\]|[^/:?#]+)'
    )), '[]'), '.');
