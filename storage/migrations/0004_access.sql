-- Keys open one project each. The secret itself is not kept: prefix finds the row, the hash proves it.
CREATE TABLE api_keys (
    api_key_id    uuid PRIMARY KEY DEFAULT uuidv7(),
    project_id    text NOT NULL REFERENCES projects,
    display_name  text NOT NULL DEFAULT '',
    prefix        text NOT NULL UNIQUE,
    secret_sha256 bytea NOT NULL,
    roles         text[] NOT NULL CHECK (roles <> '{}' AND roles <@ ARRAY['ingest', 'read', 'chat', 'admin']),
    create_time   timestamptz NOT NULL DEFAULT now(),
    expire_time   timestamptz,
    revoke_time   timestamptz,
    last_use_time timestamptz
);
CREATE INDEX api_keys_by_project ON api_keys (project_id, api_key_id DESC);

-- What a request_id was used for, so that repeating it answers the same. Dropped after a day.
CREATE TABLE request_ids (
    project_id  text NOT NULL,
    request_id  uuid NOT NULL,
    -- SHA-256 of the request's other fields: the same id for something else is refused.
    fingerprint bytea NOT NULL,
    -- What was made: ids, and for a chat turn the numbers once it is finished.
    answer      jsonb,
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, request_id)
);
CREATE INDEX request_ids_by_time ON request_ids (create_time);
