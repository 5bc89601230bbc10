-- The transaction that wrote an entry, by which rollups know what they contain. Rows of older versions have none: they
-- were committed before there were rollups.
ALTER TABLE sales_entries ADD COLUMN txid xid8;
ALTER TABLE sales_entries ALTER COLUMN txid SET DEFAULT pg_current_xact_id();

-- Sums of entries, by blocks of several lengths in UTC; `span` is in seconds. `subject` is a product or a rule, and
-- nothing (all zeros) in sums of sales. A partner of all zeros stands for all: there, an order of several partners is
-- one order. `placed` is what was placed then, `back` what was taken back then, and `late` what was taken back, at any
-- time, from orders that were placed then. `orders` are those placed then, without those cancelled as a whole later.
CREATE TABLE sales_rollups (
    dimension text COLLATE "C" NOT NULL CHECK (dimension IN ('all', 'sales', 'product', 'rule')),
    span integer NOT NULL CHECK (span > 0),
    starts_at timestamptz NOT NULL,
    partner_id uuid NOT NULL,
    subject uuid NOT NULL,
    currency text COLLATE "C" NOT NULL,
    orders bigint NOT NULL,
    placed bigint NOT NULL,
    units bigint NOT NULL,
    back bigint NOT NULL,
    back_units bigint NOT NULL,
    late bigint NOT NULL,
    late_units bigint NOT NULL,
    gross numeric NOT NULL,
    discount numeric NOT NULL,
    platform_discount numeric NOT NULL,
    amount numeric NOT NULL,
    back_cancelled numeric NOT NULL,
    back_refunded numeric NOT NULL,
    late_cancelled numeric NOT NULL,
    late_refunded numeric NOT NULL,
    PRIMARY KEY (dimension, span, starts_at, partner_id, subject, currency)
) WITH (fillfactor = 80);

-- The same of what was taken back, by reason. `by_order`: when its order was placed. Questions are about one partner or
-- about all, so partners come first.
CREATE TABLE sales_reason_rollups (
    partner_id uuid NOT NULL,
    span integer NOT NULL CHECK (span > 0),
    starts_at timestamptz NOT NULL,
    currency text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    by_order boolean NOT NULL,
    entries bigint NOT NULL,
    units bigint NOT NULL,
    amount numeric NOT NULL,
    PRIMARY KEY (partner_id, span, starts_at, currency, kind, reason, by_order)
) WITH (fillfactor = 80);

-- The orders that were cancelled as a whole (of a partner, or of all), so that a report that ends earlier still counts
-- them. `longer` is the number of bits of the whole days between both moments.
CREATE TABLE sales_cancelled_orders (
    order_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    currency text COLLATE "C" NOT NULL,
    placed_at timestamptz NOT NULL,
    cancelled_at timestamptz NOT NULL,
    longer smallint NOT NULL,
    PRIMARY KEY (order_id, partner_id)
);
CREATE INDEX sales_cancelled_orders_by_time ON sales_cancelled_orders (longer, cancelled_at);

-- Orders with a cancellation below the horizon, whose placement has a later transaction id.
CREATE TABLE sales_unplaced_orders (
    order_id uuid PRIMARY KEY
);

-- All entries of transactions before this one are in the rollups. Without a row, none are.
CREATE TABLE sales_horizon (
    only_row boolean PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    txid xid8 NOT NULL
);
