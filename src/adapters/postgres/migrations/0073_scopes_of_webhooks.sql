-- Operators' keys that may do all that there was to do may keep webhooks and see them too.
UPDATE api_keys
SET scopes = scopes || '{webhooks:read,webhooks:write}'
WHERE partner_id IS NULL AND scopes @> '{partners:write,keys:write,orders:write}'
    AND NOT 'webhooks:write' = ANY(scopes);
