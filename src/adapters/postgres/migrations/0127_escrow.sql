-- Products in which many orders meet: a part of the units that they can still supply is divided among rows, so that
-- orders needn't wait for each other. held_units.units contains what is left in these rows, and `divided` is how many
-- units were put into them (0: none). `heat` is how many orders have met in the product lately, as of `heated_at`.
ALTER TABLE held_units ADD COLUMN divided bigint NOT NULL DEFAULT 0,
    ADD COLUMN heat real NOT NULL DEFAULT 0,
    ADD COLUMN heated_at timestamptz;

CREATE TABLE escrow_units (
    product_id uuid NOT NULL,
    slot integer NOT NULL,
    -- What is left in it.
    units bigint NOT NULL CHECK (units >= 0),
    PRIMARY KEY (product_id, slot)
) WITH (fillfactor = 50);
