-- What a publication did, and where values came from that a revert brought back.
--
-- The kind of a publication is a word of the core, which may learn others. How many products one
-- wrote is NULL where nobody counted.
ALTER TABLE publications
    ADD COLUMN kind text NOT NULL DEFAULT 'feed',
    ADD COLUMN reverts uuid,
    ADD COLUMN changes bigint;
ALTER TABLE products ADD COLUMN origin_id uuid;
ALTER TABLE product_versions ADD COLUMN origin_id uuid;

-- Up to which publication versions that were no longer live by then have been forgotten.
CREATE TABLE forgotten_history (
    number bigint PRIMARY KEY,
    forgotten_at timestamptz NOT NULL
);
