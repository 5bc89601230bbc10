-- What the records of a source are recognised by, packed: for each of its active products the id, the
-- fingerprint and whether it is in stock, as they were once a publication had been made. What has
-- changed since, `products` tells along its index by publication. It is a copy: whoever finds none, or
-- takes it away, reads the products themselves, and makes another.
CREATE TABLE known_products (
    source_id uuid NOT NULL,
    part integer NOT NULL CHECK (part >= 0),
    publication_id uuid NOT NULL,
    entries bytea NOT NULL,
    PRIMARY KEY (source_id, part)
) WITH (toast_tuple_target = 8160);
-- A part fills a page and stays in it; it doesn't get smaller by compression.
ALTER TABLE known_products ALTER COLUMN entries SET STORAGE EXTERNAL;
