-- What a key is called, until when it is valid, when it was last used (to the minute), and which key
-- replaces it. Keys that were issued earlier have none of these.
ALTER TABLE api_keys ADD COLUMN key_name text;
ALTER TABLE api_keys ADD COLUMN expires_at timestamptz;
ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz;
ALTER TABLE api_keys ADD COLUMN successor_id uuid;
-- A partner that is offboarded has no valid key; those offboarded before still had.
UPDATE api_keys
SET revoked_at = now()
WHERE revoked_at IS NULL
  AND partner_id IN (SELECT partner_id FROM partners WHERE status = 'offboarded');
