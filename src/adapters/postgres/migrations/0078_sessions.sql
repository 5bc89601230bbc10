-- People who signed in with a key, in a browser. Of a session's token only the SHA-256 is kept.
CREATE TABLE sessions (
    session_id uuid PRIMARY KEY,
    key_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    digest bytea NOT NULL UNIQUE
);
CREATE INDEX sessions_by_key ON sessions (key_id, session_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);
