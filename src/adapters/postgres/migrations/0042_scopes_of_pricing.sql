-- Price rules are the operator's. Keys that may do all that operators could do before may keep and see them too.
UPDATE api_keys
SET scopes = scopes || '{pricing:read,pricing:write}'
WHERE partner_id IS NULL AND scopes @> '{partners:write,keys:write,orders:write}'
    AND NOT 'pricing:write' = ANY(scopes);
