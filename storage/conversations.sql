-- name: create_conversation
INSERT INTO conversations (conversation_id, project_id, session_id, user_id, title)
VALUES (:conversation_id::uuid, :project_id::text, :session_id::text, :user_id::text, :title::text)
RETURNING *

-- name: get_conversation
SELECT * FROM conversations WHERE conversation_id = :conversation_id::uuid AND project_id = :project_id::text

-- name: add_message
-- Stores a message and what the conversation's list shows of it, in one statement.
WITH message AS (
    INSERT INTO messages (message_id, project_id, conversation_id, role, content, log_id, provider, model, outcome)
    VALUES (:message_id::uuid, :project_id::text, :conversation_id::uuid, :role::text, :content::text,
            :log_id::uuid, :provider::text, :model::text, :outcome::text)
    RETURNING message_id
)
UPDATE conversations
SET message_count = message_count + 1, update_time = clock_timestamp(),
    last_message_preview = left(:content::text, 200),
    provider = CASE WHEN :provider::text = '' THEN provider ELSE :provider::text END,
    model = CASE WHEN :model::text = '' THEN model ELSE :model::text END
FROM message
WHERE conversation_id = :conversation_id::uuid AND project_id = :project_id::text

-- name: list_messages
-- The newest messages of a conversation, oldest first.
SELECT * FROM (
    SELECT * FROM messages
    WHERE conversation_id = :conversation_id::uuid AND project_id = :project_id::text
    ORDER BY create_time DESC, message_id DESC LIMIT :row_limit::bigint
) AS newest
ORDER BY create_time, message_id
