-- part: channel_columns
    channel_id, project_id, display_name, type, host, email_addresses, create_time, update_time

-- name: lock_project
-- Those that count what a project has wait for each other.
SELECT FROM projects WHERE project_id = :project_id::text FOR NO KEY UPDATE

-- name: create_channel
INSERT INTO alert_channels (project_id, display_name, type, url, signing_secret, host, email_addresses)
SELECT :project_id::text, :display_name::text, :type::text, :url::text, :signing_secret::text, :host::text,
       :email_addresses::text[]
WHERE (SELECT count(*) FROM alert_channels WHERE project_id = :project_id::text) < :maximum::bigint
RETURNING
    -- use: channel_columns

-- name: list_channels
-- With what is known of their messages.
SELECT
    -- use: channel_columns
    ,
    (SELECT count(*) FROM alert_messages AS m WHERE m.channel_id = c.channel_id AND m.state = 'waiting')
        + (SELECT count(*) FROM alert_notices AS n WHERE n.channel_id = c.channel_id AND n.message_id IS NULL)
        AS waiting_count,
    (SELECT count(*) FROM alert_messages AS m
     WHERE m.channel_id = c.channel_id AND m.state = 'undelivered' AND m.finish_time >= :since::timestamptz)
        AS undelivered_count,
    coalesce((SELECT last_error FROM alert_messages AS m WHERE m.channel_id = c.channel_id
              ORDER BY message_id DESC LIMIT 1), '') AS last_error
FROM alert_channels AS c
WHERE project_id = :project_id::text
ORDER BY channel_id

-- name: get_target
SELECT channel_id, project_id, display_name, type, url, signing_secret, email_addresses
FROM alert_channels WHERE project_id = :project_id::text AND channel_id = :channel_id::uuid

-- name: update_channel
UPDATE alert_channels
SET display_name = coalesce(:display_name::text, display_name), url = coalesce(:url::text, url),
    host = coalesce(:host::text, host), email_addresses = coalesce(:email_addresses::text[], email_addresses),
    update_time = now()
WHERE project_id = :project_id::text AND channel_id = :channel_id::uuid
RETURNING
    -- use: channel_columns

-- name: lock_channels
-- Keeps channels from being deleted until what refers to them is stored.
SELECT channel_id FROM alert_channels
WHERE project_id = :project_id::text AND channel_id = ANY (:channel_ids::uuid[])
ORDER BY channel_id
FOR KEY SHARE

-- name: lock_channel
SELECT channel_id FROM alert_channels
WHERE project_id = :project_id::text AND channel_id = :channel_id::uuid
FOR UPDATE

-- name: is_channel_used
SELECT EXISTS (SELECT FROM alert_rules WHERE project_id = :project_id::text AND :channel_id::uuid = ANY (channel_ids))
    OR EXISTS (SELECT FROM budgets WHERE project_id = :project_id::text AND :channel_id::uuid = ANY (channel_ids))
    AS used

-- name: delete_channel
DELETE FROM alert_channels WHERE project_id = :project_id::text AND channel_id = :channel_id::uuid
