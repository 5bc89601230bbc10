-- The operator's price rules. Each version is a row; one ends when the next begins.
CREATE TABLE price_rules (
    rule_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    name text COLLATE "C" NOT NULL,
    status text NOT NULL CHECK (status IN ('draft', 'active', 'paused', 'archived')),
    group_name text COLLATE "C",
    -- As it is written in a file.
    form jsonb NOT NULL,
    -- What a line has one of, and the basket has one of, for the rule to match; NULL: anything.
    keys text[] COLLATE "C",
    basket_keys text[] COLLATE "C",
    codes text[] COLLATE "C" NOT NULL,
    -- From when on it can't match any more.
    ends timestamptz,
    created_at timestamptz NOT NULL,
    since timestamptz NOT NULL,
    -- NULL: the current version.
    until timestamptz,
    PRIMARY KEY (rule_id, version)
);
CREATE UNIQUE INDEX price_rules_current ON price_rules (rule_id) WHERE until IS NULL;
CREATE UNIQUE INDEX price_rules_by_name ON price_rules (name)
    WHERE until IS NULL AND status <> 'archived';
CREATE INDEX price_rules_by_group ON price_rules (group_name)
    WHERE until IS NULL AND group_name IS NOT NULL;
-- Rules that can't match a basket aren't looked at.
CREATE INDEX price_rules_by_key ON price_rules USING gin (keys) WHERE status = 'active';
CREATE INDEX price_rules_without_key ON price_rules (rule_id)
    WHERE status = 'active' AND keys IS NULL;
CREATE INDEX price_rules_by_code ON price_rules USING gin (codes)
    WHERE status = 'active' AND until IS NULL;

-- What of a rule's limits is used up: by all, and in rows with a customer by that customer. Orders take
-- from it by a conditional UPDATE in their own transaction.
CREATE TABLE price_rule_counters (
    rule_id uuid NOT NULL,
    customer text COLLATE "C" NOT NULL,
    uses bigint NOT NULL CHECK (uses >= 0),
    spent numeric NOT NULL,
    PRIMARY KEY (rule_id, customer)
);

-- Which order used which rule with limits; cancelling an order gives it back.
CREATE TABLE price_rule_uses (
    order_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    customer text COLLATE "C" NOT NULL,
    amount numeric NOT NULL,
    taken_at timestamptz NOT NULL,
    given_back_at timestamptz,
    PRIMARY KEY (order_id, rule_id)
);
CREATE INDEX price_rule_uses_by_rule ON price_rule_uses (rule_id, taken_at);

-- What was given with an order, and decided its price beside its items.
ALTER TABLE orders ADD COLUMN codes text[] NOT NULL DEFAULT ARRAY[]::text[];
ALTER TABLE orders ADD COLUMN customer text;
ALTER TABLE orders ADD COLUMN customer_group text;
ALTER TABLE orders ADD COLUMN channel text;
