-- A rule may be used in several currencies, and its budget is one of money: what it has taken is counted in each
-- currency by itself, in rows with that currency. Rows without one count uses.
ALTER TABLE price_rule_uses ADD COLUMN currency text COLLATE "C";
UPDATE price_rule_uses AS used SET currency = orders.currency
    FROM orders WHERE orders.order_id = used.order_id;
DELETE FROM price_rule_uses WHERE currency IS NULL;
ALTER TABLE price_rule_uses ALTER COLUMN currency SET NOT NULL;

ALTER TABLE price_rule_counters ADD COLUMN currency text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE price_rule_counters DROP CONSTRAINT price_rule_counters_pkey;
ALTER TABLE price_rule_counters ADD PRIMARY KEY (rule_id, customer, currency);
ALTER TABLE price_rule_counters ALTER COLUMN currency DROP DEFAULT;
INSERT INTO price_rule_counters (rule_id, customer, currency, uses, spent)
    SELECT rule_id, '', currency, count(*), sum(amount)
    FROM price_rule_uses WHERE given_back_at IS NULL
    GROUP BY rule_id, currency;
