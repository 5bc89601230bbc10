-- What a profile keeps of a partner's columns by their own names.
ALTER TABLE products ADD COLUMN attributes jsonb;
ALTER TABLE product_versions ADD COLUMN attributes jsonb;
