-- name: lock_open_alerts
SELECT * FROM alerts WHERE source_id = :source_id::uuid AND state <> 'resolved' ORDER BY alert_id FOR UPDATE

-- name: list_known_fingerprints
SELECT DISTINCT fingerprint FROM alerts WHERE fingerprint = ANY (:fingerprints::text[])

-- name: put_alert
INSERT INTO alerts (alert_id, project_id, source_id, source, fingerprint, group_value, state, labels, summary, value,
    start_time, seen_time, clear_time, notice_time, fire_time, resolve_time)
VALUES (coalesce(:alert_id::uuid, uuidv7()), :project_id::text, :source_id::uuid, :source::text, :fingerprint::text,
    :group_value::text, :state::text, :labels::jsonb, :summary::text, :value::double precision,
    :start_time::timestamptz, :seen_time::timestamptz, :clear_time::timestamptz, :notice_time::timestamptz,
    :fire_time::timestamptz, :resolve_time::timestamptz)
ON CONFLICT (alert_id) DO UPDATE
SET state = excluded.state, labels = excluded.labels, summary = excluded.summary, value = excluded.value,
    start_time = excluded.start_time, seen_time = excluded.seen_time, clear_time = excluded.clear_time,
    notice_time = excluded.notice_time, fire_time = excluded.fire_time, resolve_time = excluded.resolve_time
RETURNING alert_id

-- name: drop_alert
DELETE FROM alerts WHERE alert_id = :alert_id::uuid

-- name: add_notices
INSERT INTO alert_notices (alert_id, channel_id, status, labels, summary, value, resolve_time, create_time)
SELECT alert_id, channel_id, :status::text, labels, summary, value, a.resolve_time, :now::timestamptz
FROM alerts AS a CROSS JOIN alert_channels AS c
WHERE alert_id = :alert_id::uuid AND c.project_id = a.project_id AND channel_id = ANY (:channel_ids::uuid[])
ORDER BY channel_id

-- name: list_alerts
SELECT * FROM alerts
WHERE project_id = :project_id::text AND state = ANY (:states::text[])
  AND (:source_ids::uuid[] IS NULL OR source_id = ANY (:source_ids::uuid[]))
  AND (:before_id::uuid IS NULL OR alert_id < :before_id::uuid)
ORDER BY alert_id DESC
LIMIT :row_limit::bigint

-- name: list_deliveries
-- The newest notice of an alert to each channel.
SELECT DISTINCT ON (alert_id, channel_id) alert_id, n.channel_id, status, coalesce(m.state, 'waiting') AS state,
    coalesce(attempt_count, 0) AS attempt_count, coalesce(last_error, '') AS last_error
FROM alert_notices AS n LEFT JOIN alert_messages AS m USING (message_id)
WHERE alert_id = ANY (:alert_ids::uuid[])
ORDER BY alert_id, channel_id, notice_id DESC

-- name: forget_alerts
DELETE FROM alerts WHERE state = 'resolved' AND resolve_time < :before::timestamptz

-- name: forget_messages
DELETE FROM alert_messages WHERE state <> 'waiting' AND finish_time < :before::timestamptz
