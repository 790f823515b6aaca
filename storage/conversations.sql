-- name: create_conversation
INSERT INTO conversations (conversation_id, project_id, session_id, user_id, title)
VALUES (:conversation_id::uuid, :project_id::text, :session_id::text, :user_id::text, :title::text)
-- The same id comes again only with a request that is repeated.
ON CONFLICT (conversation_id) DO UPDATE SET conversation_id = excluded.conversation_id
    WHERE conversations.project_id = excluded.project_id
RETURNING *

-- name: start_conversation
-- A conversation and its first message, in one statement.
WITH conversation AS (
    INSERT INTO conversations (
        conversation_id, project_id, session_id, user_id, title, message_count, last_message_preview)
    VALUES (:conversation_id::uuid, :project_id::text, :session_id::text, :user_id::text, :title::text,
            1, left(:content::text, 200))
)
INSERT INTO messages (message_id, project_id, conversation_id, role, content)
VALUES (:message_id::uuid, :project_id::text, :conversation_id::uuid, 'user', :content::text)

-- name: get_conversation
SELECT * FROM conversations WHERE conversation_id = :conversation_id::uuid AND project_id = :project_id::text

-- name: add_message
-- Stores a message and what the conversation's list shows of it, in one statement. Repeating is no change, and
-- neither is a message for a conversation that was deleted meanwhile.
WITH message AS (
    INSERT INTO messages (message_id, project_id, conversation_id, role, content, log_id, provider, model, outcome)
    SELECT :message_id::uuid, project_id, conversation_id, :role::text, :content::text,
           :log_id::uuid, :provider::text, :model::text, :outcome::text
    FROM conversations WHERE conversation_id = :conversation_id::uuid AND project_id = :project_id::text
    ON CONFLICT (message_id) DO NOTHING
    RETURNING message_id
)
UPDATE conversations
SET message_count = message_count + 1, update_time = clock_timestamp(),
    last_message_preview = left(:content::text, 200),
    provider = CASE WHEN :provider::text = '' THEN provider ELSE :provider::text END,
    model = CASE WHEN :model::text = '' THEN model ELSE :model::text END
FROM message
WHERE conversation_id = :conversation_id::uuid AND project_id = :project_id::text

-- part: message_with_numbers
SELECT m.*, l.latency_us, l.time_to_first_token_us, l.input_token_count, l.output_token_count,
       l.total_token_count, l.usage_source, l.cost_nano_usd

-- part: calls_of_messages
LEFT JOIN log_keys AS k ON k.log_id = m.log_id AND k.project_id = m.project_id
LEFT JOIN logs AS l ON l.project_id = k.project_id AND l.start_time = k.start_time AND l.log_id = k.log_id

-- name: list_messages
-- The newest messages of a conversation, oldest first, with the numbers of the calls that wrote them.
-- use: message_with_numbers
FROM (
    SELECT * FROM messages
    WHERE conversation_id = :conversation_id::uuid AND project_id = :project_id::text
    ORDER BY create_time DESC, message_id DESC LIMIT :row_limit::bigint
) AS m
-- use: calls_of_messages
ORDER BY m.create_time, m.message_id

-- part: matching_conversations
WHERE c.project_id = :project_id::text
  AND (:states::text[] IS NULL OR c.state = ANY (:states::text[]))
  AND (:provider::text IS NULL OR c.provider = :provider::text)
  AND (:session_id::text IS NULL OR c.session_id = :session_id::text)
  AND (:user_id::text IS NULL OR c.user_id = :user_id::text)
  AND (:pattern::text IS NULL OR c.title ILIKE :pattern::text OR EXISTS (
      SELECT FROM messages AS m WHERE m.conversation_id = c.conversation_id AND m.content ILIKE :pattern::text))

-- name: count_conversations
SELECT count(*) FROM conversations AS c
-- use: matching_conversations

-- name: list_conversations
SELECT c.* FROM conversations AS c
-- use: matching_conversations
ORDER BY c.update_time DESC, c.conversation_id DESC
LIMIT :row_limit::bigint OFFSET :row_offset::bigint

-- name: set_title
UPDATE conversations SET title = :title::text, update_time = clock_timestamp()
WHERE conversation_id = :conversation_id::uuid AND project_id = :project_id::text
RETURNING *

-- name: set_state
-- Changes the state where it may be changed from what it is; repeating is no change.
UPDATE conversations
SET state = :state::text, update_time = CASE WHEN state = :state::text THEN update_time ELSE clock_timestamp() END
WHERE conversation_id = :conversation_id::uuid AND project_id = :project_id::text
  AND state = ANY (:allowed_states::text[])
RETURNING *

-- name: delete_conversation
DELETE FROM conversations
WHERE conversation_id = :conversation_id::uuid AND project_id = :project_id::text
RETURNING conversation_id

-- name: page_messages
-- Messages after a cursor, oldest first, with the numbers of the calls that wrote them.
-- use: message_with_numbers
FROM messages AS m
-- use: calls_of_messages
WHERE m.conversation_id = :conversation_id::uuid AND m.project_id = :project_id::text
  AND (:after_time::timestamptz IS NULL
       OR (m.create_time, m.message_id) > (:after_time::timestamptz, :after_id::uuid))
ORDER BY m.create_time, m.message_id
LIMIT :row_limit::bigint

-- name: get_message
SELECT * FROM messages WHERE message_id = :message_id::uuid AND project_id = :project_id::text
