-- name: find_channel_with_notices
-- A channel to make a message for: none waits, and the last one is a minute old (or of a clock that went wrong).
UPDATE alert_channels SET message_time = :now::timestamptz
WHERE channel_id = (
    SELECT channel_id FROM alert_channels AS c
    WHERE EXISTS (SELECT FROM alert_notices AS n WHERE n.channel_id = c.channel_id AND message_id IS NULL)
      AND NOT EXISTS (SELECT FROM alert_messages AS m WHERE m.channel_id = c.channel_id AND state = 'waiting')
      AND (message_time IS NULL OR message_time <= :now::timestamptz - interval '1 minute'
           OR message_time > :now::timestamptz + interval '10 minutes')
    ORDER BY message_time NULLS FIRST
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING channel_id

-- name: make_message
-- Puts the oldest notices of a channel into a message.
WITH message AS (
    INSERT INTO alert_messages (channel_id, next_attempt_time, create_time)
    VALUES (:channel_id::uuid, :now::timestamptz, :now::timestamptz)
    RETURNING message_id
)
UPDATE alert_notices SET message_id = message.message_id
FROM message
WHERE notice_id IN (
    SELECT notice_id FROM alert_notices WHERE channel_id = :channel_id::uuid AND message_id IS NULL
    ORDER BY notice_id LIMIT :max_notices::bigint
)

-- name: claim_message
-- A message that is due, for nobody else to send until the lease ends.
UPDATE alert_messages AS m
SET attempt_count = attempt_count + 1, next_attempt_time = :lease_end::timestamptz
FROM alert_channels AS c
WHERE c.channel_id = m.channel_id AND message_id = (
    SELECT message_id FROM alert_messages
    WHERE state = 'waiting' AND (next_attempt_time <= :now::timestamptz
                                 OR next_attempt_time > :now::timestamptz + interval '1 hour')
    ORDER BY next_attempt_time
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING m.message_id, m.attempt_count, m.create_time AS message_time, c.channel_id, c.project_id, c.display_name,
    c.type, c.url, c.signing_secret, c.email_addresses

-- name: list_notices
SELECT n.status, n.summary, n.value, n.resolve_time, n.labels, a.fingerprint, a.start_time
FROM alert_notices AS n JOIN alerts AS a USING (alert_id)
WHERE message_id = :message_id::uuid
ORDER BY notice_id

-- name: settle_message
-- Unless another sender has taken it since.
UPDATE alert_messages
SET state = :state::text, last_error = :error::text,
    next_attempt_time = coalesce(:next_attempt_time::timestamptz, next_attempt_time),
    finish_time = CASE WHEN :state::text = 'waiting' THEN NULL ELSE :now::timestamptz END
WHERE message_id = :message_id::uuid AND attempt_count = :attempt_count::integer AND state = 'waiting'

-- name: count_undelivered
SELECT count(*) FROM alert_messages WHERE state = 'undelivered' AND finish_time >= :since::timestamptz
