-- By what the record that wrote a product last is recognised: 128 bits of its text and of all that
-- decides what the text means; NULL where it isn't to be recognised.
ALTER TABLE products
    ADD COLUMN fingerprint_upper bigint,
    ADD COLUMN fingerprint_lower bigint;
-- What every new product has needn't travel with each row.
ALTER TABLE products
    ALTER COLUMN created_at SET DEFAULT now(),
    ALTER COLUMN version SET DEFAULT 1,
    ALTER COLUMN status SET DEFAULT 'active';
