-- Terms, payouts and statements are the operator's to keep. Keys that may do all that operators could do before may too.
UPDATE api_keys
SET scopes = scopes || '{money:read,money:write}'
WHERE partner_id IS NULL AND scopes @> '{partners:write,keys:write,orders:write}'
    AND NOT 'money:write' = ANY(scopes);
