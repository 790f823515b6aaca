-- part: project_columns
    project_id, display_name, create_time

-- part: api_key_columns
    api_key_id, project_id, display_name, prefix, secret_sha256, roles, create_time, expire_time, revoke_time,
    last_use_time

-- name: create_project
INSERT INTO projects (project_id, display_name) VALUES (:project_id::text, :display_name::text)
ON CONFLICT DO NOTHING
RETURNING
    -- use: project_columns

-- name: list_projects
SELECT
    -- use: project_columns
FROM projects WHERE :project_id::text IS NULL OR project_id = :project_id::text ORDER BY project_id

-- name: create_api_key
INSERT INTO api_keys (project_id, display_name, prefix, secret_sha256, roles, expire_time)
SELECT project_id, :display_name::text, :prefix::text, :secret_hash::bytea, :roles::text[],
       :expire_time::timestamptz
FROM projects WHERE project_id = :project_id::text
RETURNING
    -- use: api_key_columns

-- name: list_api_keys
SELECT
    -- use: api_key_columns
FROM api_keys WHERE project_id = :project_id::text ORDER BY api_key_id DESC

-- name: revoke_api_key
UPDATE api_keys SET revoke_time = coalesce(revoke_time, now())
WHERE api_key_id = :api_key_id::uuid AND (:project_id::text IS NULL OR project_id = :project_id::text)
RETURNING
    -- use: api_key_columns

-- name: find_api_key
-- Returns a key that may be used now, and notes the use, to the minute.
WITH used AS (
    UPDATE api_keys SET last_use_time = now()
    WHERE prefix = :prefix::text AND revoke_time IS NULL
      AND (last_use_time IS NULL OR last_use_time < now() - interval '1 minute')
)
SELECT
    -- use: api_key_columns
FROM api_keys
WHERE prefix = :prefix::text AND revoke_time IS NULL AND (expire_time IS NULL OR expire_time > now())
