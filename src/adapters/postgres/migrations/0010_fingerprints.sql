-- By what the record that wrote a product last is recognised: 128 bits of its text and of all that
-- decides what the text means; NULL where it isn't to be recognised.
ALTER TABLE products
    ADD COLUMN fingerprint_upper bigint,
    ADD COLUMN fingerprint_lower bigint;
