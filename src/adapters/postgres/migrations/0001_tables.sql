-- The tables of the platform.
--
-- Ids are uuids that sort by creation, so new keys land at the end of their index. Tables that
-- belong to a partner have the primary key (partner_id, natural key), so that partners can one day
-- be spread over several machines; the public id has a plain index. Text that is a key or sorts has
-- COLLATE "C": the same order on every machine, whatever its locale. No triggers, no extensions.

CREATE TABLE partners (
    partner_id uuid PRIMARY KEY,
    partner_name text NOT NULL,
    -- The name as Python's casefold() makes it. lower() depends on the locale, and folds less.
    name_key text COLLATE "C" NOT NULL UNIQUE,
    status text NOT NULL CHECK (status IN ('active', 'paused', 'offboarded')),
    currency text CHECK (currency ~ '^[A-Z]{3}$'),
    time_zone text NOT NULL,
    contact_email text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE sources (
    partner_id uuid NOT NULL REFERENCES partners,
    source_name text COLLATE "C" NOT NULL,
    source_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('full', 'delta')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (partner_id, source_name)
);
CREATE INDEX sources_by_id ON sources (source_id);

CREATE TABLE api_keys (
    key_id uuid PRIMARY KEY,
    partner_id uuid REFERENCES partners,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    digest bytea NOT NULL UNIQUE
);
CREATE INDEX api_keys_by_partner ON api_keys (partner_id, key_id);

CREATE TABLE feeds (
    partner_id uuid NOT NULL REFERENCES partners,
    feed_id uuid NOT NULL,
    source_id uuid NOT NULL,
    file_name text NOT NULL,
    content_type text NOT NULL,
    bytes bigint NOT NULL CHECK (bytes >= 0),
    sha256 text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('full', 'delta')),
    status text NOT NULL CHECK (
        status IN ('received', 'applied', 'held', 'rejected', 'superseded', 'reverted', 'failed')
    ),
    received_at timestamptz NOT NULL,
    snapshot_at timestamptz NOT NULL,
    expected_rows bigint CHECK (expected_rows >= 0),
    applied_at timestamptz,
    PRIMARY KEY (partner_id, feed_id)
);
CREATE INDEX feeds_by_id ON feeds (feed_id);
-- Which full feed of a source was applied last, and the list of a source's feeds.
CREATE INDEX feeds_by_source ON feeds (source_id, feed_id);

CREATE TABLE jobs (
    job_id uuid PRIMARY KEY,
    feed_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    kind text NOT NULL,
    status text NOT NULL CHECK (
        status IN ('queued', 'running', 'held', 'completed', 'failed', 'cancelled')
    ),
    released boolean NOT NULL,
    created_at timestamptz NOT NULL,
    outcome text,
    -- Each claim is an attempt. What a run writes names its attempt, so one taken over writes nothing.
    attempts integer NOT NULL CHECK (attempts >= 0),
    started_at timestamptz,
    finished_at timestamptz,
    progress jsonb NOT NULL,
    summary jsonb,
    error jsonb,
    -- By the database's clock, never by a worker's.
    lease_expires_at timestamptz,
    -- Process and start of the database session in which the run works; a takeover ends it first.
    session text
);
CREATE INDEX jobs_by_feed ON jobs (feed_id, job_id);
CREATE INDEX jobs_by_partner ON jobs (partner_id, job_id);
-- The queue: as small as what is under way, however many jobs there have been.
CREATE INDEX jobs_under_way ON jobs (job_id) WHERE status IN ('queued', 'running');

CREATE TABLE job_problems (
    job_id uuid NOT NULL,
    line bigint NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    "column" text,
    field text,
    code text NOT NULL,
    value text,
    hint text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('error', 'warning')),
    PRIMARY KEY (job_id, line, number)
);

-- The one clock. The row is locked from the last write of a unit to its commit.
CREATE TABLE publication_clock (
    number bigint NOT NULL,
    published_at timestamptz NOT NULL,
    only_row boolean PRIMARY KEY DEFAULT TRUE CHECK (only_row)
);
INSERT INTO publication_clock (number, published_at) VALUES (0, '-infinity');

CREATE TABLE publications (
    publication_id uuid PRIMARY KEY,
    partner_id uuid NOT NULL,
    source_id uuid NOT NULL,
    feed_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('full', 'delta')),
    actor text NOT NULL,
    number bigint NOT NULL UNIQUE,
    published_at timestamptz NOT NULL
);
CREATE INDEX publications_by_source ON publications (source_id, number);
CREATE INDEX publications_by_feed ON publications (feed_id);

-- The catalog. Columns of fixed width come first, which saves padding in every row. There is no
-- foreign key: a check for each of a million rows costs more than loading them, and what a feed may
-- refer to is decided by the statements that write here. feed_id and updated_at of a product are its
-- publication's, since only that knows its time, which follows the order of commits.
CREATE TABLE products (
    partner_id uuid NOT NULL,
    product_id uuid NOT NULL,
    source_id uuid NOT NULL,
    publication_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    sale_starts_at timestamptz,
    sale_ends_at timestamptz,
    quantity bigint CHECK (quantity >= 0),
    line integer NOT NULL CHECK (line >= 0),
    version integer NOT NULL CHECK (version >= 1),
    ordinal integer NOT NULL CHECK (ordinal >= 1),
    status text COLLATE "C" NOT NULL CHECK (status IN ('active', 'removed')),
    sku text COLLATE "C" NOT NULL CHECK (sku <> ''),
    product_name text NOT NULL CHECK (product_name <> ''),
    group_id text,
    options text,
    description text,
    brand text,
    condition text,
    category text,
    gtin text,
    mpn text,
    -- NaN is above every number, so these bounds keep it out too.
    price numeric CHECK (price >= 0 AND price <= 999999999999.9999),
    currency text,
    sale_price numeric CHECK (sale_price >= 0 AND sale_price <= 999999999999.9999),
    availability text,
    weight numeric CHECK (weight >= 0 AND weight < 'Infinity'),
    product_url text,
    image_url text,
    additional_image_urls text[],
    CONSTRAINT an_amount_has_a_currency
        CHECK (currency IS NOT NULL OR (price IS NULL AND sale_price IS NULL)),
    PRIMARY KEY (partner_id, sku)
);
-- Each of these costs every load, so there are no more: a product by its id and all products in
-- its order; the products of one partner by id and by price; those of a publication.
CREATE INDEX products_by_id ON products (product_id);
CREATE INDEX products_by_partner_and_id ON products (partner_id, product_id);
CREATE INDEX products_by_partner_and_price ON products (partner_id, price, product_id);
CREATE INDEX products_by_publication ON products (publication_id);

-- What products were before: predecessors only, the live row being its own latest version.
CREATE TABLE product_versions (
    LIKE products,
    replaced_by uuid NOT NULL,
    PRIMARY KEY (partner_id, product_id, version)
);

-- Units on open orders. Apart from products, so that orders never wait for a feed's locks on its
-- rows, nor a feed for orders. A row may pass through values below zero within a statement of a
-- unit, hence no check.
CREATE TABLE held_units (
    partner_id uuid NOT NULL,
    product_id uuid NOT NULL,
    units bigint NOT NULL,
    PRIMARY KEY (partner_id, product_id)
) WITH (fillfactor = 70);

CREATE TABLE orders (
    order_id uuid PRIMARY KEY,
    status text NOT NULL CHECK (
        status IN ('created', 'confirmed', 'fulfilled', 'cancelled', 'refunded')
    ),
    customer_reference text COLLATE "C",
    currency text NOT NULL,
    total_amount numeric NOT NULL CHECK (total_amount >= 0),
    refunded_amount numeric NOT NULL CHECK (refunded_amount >= 0),
    metadata jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX orders_by_reference ON orders (customer_reference, order_id)
    WHERE customer_reference IS NOT NULL;

-- Frozen copies: whatever becomes of a product, its lines stay. Hence no foreign key to products.
CREATE TABLE order_items (
    order_id uuid NOT NULL REFERENCES orders,
    position integer NOT NULL,
    item_id uuid NOT NULL,
    product_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    product_version integer NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    sku text COLLATE "C" NOT NULL,
    product_name text NOT NULL,
    list_price numeric NOT NULL CHECK (list_price >= 0),
    unit_price numeric NOT NULL CHECK (unit_price >= 0),
    line_total numeric NOT NULL CHECK (line_total >= 0),
    -- Reasons and amounts of what was taken off or added; amounts are text, as in every document.
    adjustments jsonb NOT NULL,
    PRIMARY KEY (order_id, position)
);
CREATE INDEX order_items_by_partner ON order_items (partner_id, order_id);

-- The ledger: rows are added and never changed.
CREATE TABLE sales_entries (
    entry_id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    item_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    product_id uuid NOT NULL,
    at timestamptz NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('placed', 'cancelled')),
    currency text COLLATE "C" NOT NULL,
    sku text COLLATE "C" NOT NULL,
    gross numeric NOT NULL CHECK (gross >= 0),
    discount numeric NOT NULL,
    amount numeric NOT NULL CHECK (amount >= 0)
);
CREATE INDEX sales_entries_by_time ON sales_entries (at);
-- What was cancelled before a report's end.
CREATE INDEX sales_entries_cancelled ON sales_entries (at, item_id) WHERE kind = 'cancelled';

CREATE TABLE idempotency_keys (
    owner text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    digest text NOT NULL,
    -- The class of the answer, and the answer; NULL while its unit is under way.
    kind text,
    value jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, key)
);
