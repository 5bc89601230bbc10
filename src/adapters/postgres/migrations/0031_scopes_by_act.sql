-- Sending feeds and deciding about them are two scopes from here on. Operators' keys that could do both
-- still can. A partner's key decides only if it is given the scope.
UPDATE api_keys
SET scopes = scopes || '{feeds:decide}'
WHERE partner_id IS NULL AND 'feeds:write' = ANY(scopes) AND NOT 'feeds:decide' = ANY(scopes);
