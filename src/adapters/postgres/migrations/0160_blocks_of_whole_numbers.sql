-- Sums of entries by blocks, as sales_rollups has them, in whole ten thousandths of their currency; what is zero is NULL,
-- and takes no room. `dimension` is 0 for all, 1 for sales by partner, 2 for products and 3 for rules. `exact` has the
-- amounts that are finer or don't fit into 64 bits, in the order of their columns.
--
-- Versions that don't know these go on with sales_rollups, behind a horizon of its own.
CREATE TABLE sales_blocks (
    dimension smallint NOT NULL,
    span integer NOT NULL,
    starts_at timestamptz NOT NULL,
    partner_id uuid NOT NULL,
    subject uuid NOT NULL,
    currency text COLLATE "C" NOT NULL,
    placed bigint,
    units bigint,
    gross bigint,
    amount bigint,
    orders bigint,
    discount bigint,
    platform_discount bigint,
    back bigint,
    back_units bigint,
    back_cancelled bigint,
    back_refunded bigint,
    late bigint,
    late_units bigint,
    late_cancelled bigint,
    late_refunded bigint,
    exact numeric [],
    PRIMARY KEY (dimension, span, starts_at, partner_id, subject, currency)
) WITH (fillfactor = 80);

-- The same of what was taken back, by reason, as sales_reason_rollups has it.
CREATE TABLE sales_reason_blocks (
    partner_id uuid NOT NULL,
    span integer NOT NULL,
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

-- The orders that were cancelled as a whole below this horizon, as sales_cancelled_orders has them.
CREATE TABLE sales_gone_orders (
    order_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    currency text COLLATE "C" NOT NULL,
    placed_at timestamptz NOT NULL,
    cancelled_at timestamptz NOT NULL,
    longer smallint NOT NULL,
    PRIMARY KEY (order_id, partner_id)
);
CREATE INDEX sales_gone_orders_by_time ON sales_gone_orders (longer, cancelled_at);

-- Orders with a cancellation below this horizon, whose placement has a later transaction id.
CREATE TABLE sales_awaited_orders (
    order_id uuid PRIMARY KEY
);

-- All entries of transactions before this one are in the blocks. Without a row, none are.
CREATE TABLE sales_blocks_horizon (
    only_row boolean PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    txid xid8 NOT NULL
);
