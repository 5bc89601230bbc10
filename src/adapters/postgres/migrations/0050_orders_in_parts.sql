-- Orders live on after they are placed: their units are fulfilled, cancelled, returned; their money goes back.
-- What a version that doesn't know these columns has cancelled has the status, and its units still look open.
ALTER TABLE orders DROP CONSTRAINT orders_status_check, ADD CONSTRAINT orders_status_check CHECK (
    status IN ('created', 'confirmed', 'partially_fulfilled', 'fulfilled', 'cancelled', 'refunded')
) NOT VALID;
ALTER TABLE orders
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN duplicate_of uuid;

-- Of each line: its units by what became of them, and the money that went back (NULL: none did).
ALTER TABLE order_items
    ADD COLUMN fulfilled integer NOT NULL DEFAULT 0,
    ADD COLUMN cancelled integer NOT NULL DEFAULT 0,
    ADD COLUMN returned integer NOT NULL DEFAULT 0,
    ADD COLUMN refunded integer NOT NULL DEFAULT 0,
    ADD COLUMN cancelled_amount numeric,
    ADD COLUMN refunded_amount numeric,
    ADD COLUMN net_of_orders boolean NOT NULL DEFAULT FALSE;
ALTER TABLE order_items ADD CONSTRAINT units_add_up CHECK (
    cancelled >= 0 AND returned >= 0 AND returned <= refunded AND refunded <= fulfilled
    AND fulfilled + cancelled <= quantity
) NOT VALID;
ALTER TABLE order_items ADD CONSTRAINT no_more_goes_back_than_was_paid CHECK (
    coalesce(cancelled_amount, 0) >= 0 AND coalesce(refunded_amount, 0) >= 0
    AND coalesce(cancelled_amount, 0) + coalesce(refunded_amount, 0) <= line_total
) NOT VALID;

-- What has happened to a partner's part beside its lines. A part without a row is as it was placed.
CREATE TABLE order_parts (
    order_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    version integer NOT NULL,
    status text COLLATE "C" NOT NULL,
    confirmed_at timestamptz,
    updated_at timestamptz,
    PRIMARY KEY (order_id, partner_id)
);

CREATE TABLE fulfilments (
    fulfilment_id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    part_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('sent', 'cancelled')),
    items jsonb NOT NULL,
    carrier text,
    tracking_number text,
    created_at timestamptz NOT NULL,
    cancelled_at timestamptz
);
CREATE INDEX fulfilments_by_order ON fulfilments (order_id, fulfilment_id);

CREATE TABLE refunds (
    refund_id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    part_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('units', 'goodwill')),
    reason text NOT NULL,
    currency text COLLATE "C" NOT NULL,
    amount numeric NOT NULL CHECK (amount >= 0),
    items jsonb NOT NULL,
    returned boolean NOT NULL,
    restock boolean NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX refunds_by_order ON refunds (order_id, refund_id);

-- Units that deduct until a later snapshot of the partner has the product: fulfilled ones and, of
-- sources whose quantities are net of orders, ordered ones. They are part of held_units.units.
CREATE TABLE stock_deductions (
    partner_id uuid NOT NULL,
    product_id uuid NOT NULL,
    item_id uuid NOT NULL,
    -- The fulfilment, if it is one.
    cause text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL,
    units bigint NOT NULL CHECK (units > 0),
    PRIMARY KEY (item_id, cause)
);
CREATE INDEX stock_deductions_by_product ON stock_deductions (partner_id, product_id);

-- Whether the quantities of a source already leave out what was ordered here.
ALTER TABLE sources ADD COLUMN net_of_orders boolean NOT NULL DEFAULT FALSE;

-- Acting on orders is a scope from here on. Operators' keys that could cancel still can. A partner's key
-- acts only if it is given the scope.
UPDATE api_keys
SET scopes = scopes || '{orders:act}'
WHERE partner_id IS NULL AND 'orders:write' = ANY(scopes) AND NOT 'orders:act' = ANY(scopes);
