-- The filters of lists under names, which people save.
CREATE TABLE saved_views (
    view_id uuid PRIMARY KEY,
    -- NULL: the operator's.
    partner_id uuid,
    -- NULL: shared by all who act for that owner.
    key_id uuid,
    page text COLLATE "C" NOT NULL,
    view_name text NOT NULL,
    filters jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX saved_views_by_owner ON saved_views (partner_id, view_id);
CREATE INDEX saved_views_by_key ON saved_views (key_id);
