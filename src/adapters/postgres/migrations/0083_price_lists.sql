-- Price lists: prices by sku and minimum quantity. Their currency never changes.
CREATE TABLE price_lists (
    list_id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    currency text NOT NULL,
    version integer NOT NULL CHECK (version >= 0),
    entries bigint NOT NULL CHECK (entries >= 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE price_list_versions (
    list_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    published_at timestamptz NOT NULL,
    actor text NOT NULL,
    entries bigint NOT NULL,
    added bigint NOT NULL,
    changed bigint NOT NULL,
    removed bigint NOT NULL,
    unchanged bigint NOT NULL,
    sha256 text,
    reverted_to integer,
    PRIMARY KEY (list_id, version)
);

-- An entry is in the versions from `since` on and before `until`; NULL: in the current one.
CREATE TABLE price_list_entries (
    list_id uuid NOT NULL,
    sku text COLLATE "C" NOT NULL,
    minimum_quantity bigint NOT NULL CHECK (minimum_quantity > 0),
    price numeric NOT NULL CHECK (price >= 0),
    since integer NOT NULL,
    until integer,
    PRIMARY KEY (list_id, sku, minimum_quantity, since)
);
