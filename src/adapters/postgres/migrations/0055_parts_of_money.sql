-- Every entry of the ledger says which part of its amount is the partner's, and which the platform's. In rows of older
-- versions both are NULL: what was paid is the partner's. What belongs to no order line, such as a payout, has none.
ALTER TABLE sales_entries ADD COLUMN partner_amount numeric;
ALTER TABLE sales_entries ADD COLUMN platform_amount numeric;
ALTER TABLE sales_entries ADD COLUMN platform_discount numeric;
ALTER TABLE sales_entries ADD COLUMN part_id uuid;
ALTER TABLE sales_entries ADD COLUMN refund_id uuid;
ALTER TABLE sales_entries ADD COLUMN reverses uuid;
ALTER TABLE sales_entries ADD COLUMN reason text;
ALTER TABLE sales_entries ALTER COLUMN order_id DROP NOT NULL;
ALTER TABLE sales_entries ALTER COLUMN item_id DROP NOT NULL;
ALTER TABLE sales_entries ALTER COLUMN product_id DROP NOT NULL;
ALTER TABLE sales_entries ALTER COLUMN sku DROP NOT NULL;
ALTER TABLE sales_entries DROP CONSTRAINT sales_entries_kind_check,
    ADD CONSTRAINT sales_entries_kind_check CHECK (
        kind IN ('placed', 'cancelled', 'refunded', 'goodwill', 'fee', 'payout', 'correction')
    ) NOT VALID;
ALTER TABLE sales_entries DROP CONSTRAINT sales_entries_quantity_check,
    ADD CONSTRAINT sales_entries_quantity_check CHECK (quantity >= 0) NOT VALID;
ALTER TABLE sales_entries
    ADD CONSTRAINT the_parts_are_the_whole CHECK (partner_amount + platform_amount = amount) NOT VALID;

ALTER TABLE order_items ADD COLUMN partner_amount numeric;
ALTER TABLE order_items ADD COLUMN commission_percent numeric;
ALTER TABLE order_items ADD COLUMN fee numeric;
