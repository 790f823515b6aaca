-- Who had which user's data erased, and how much it was (docs/decisions/0028-erasure.md). The user's id is not kept:
-- whoever knows it can tell from the digest whether it was theirs.
CREATE TABLE erasures (
    erasure_id         uuid PRIMARY KEY,
    project_id         text NOT NULL,
    -- SHA-256 of erasure_id, a zero byte and the user's id, in UTF-8.
    user_sha256        bytea NOT NULL,
    -- Who asked, as they say.
    operator           text NOT NULL,
    log_count          bigint NOT NULL DEFAULT 0,
    conversation_count bigint NOT NULL DEFAULT 0,
    message_count      bigint NOT NULL DEFAULT 0,
    dead_letter_count  bigint NOT NULL DEFAULT 0,
    -- Files of days whose rows retention has dropped: others are exported again.
    lake_file_count    bigint NOT NULL DEFAULT 0,
    create_time        timestamptz NOT NULL DEFAULT now(),
    -- None while it runs, or where it was interrupted.
    finish_time        timestamptz
);
CREATE INDEX erasures_by_project ON erasures (project_id, erasure_id DESC);
