-- What an export could not write, named for people.
ALTER TABLE exports ADD COLUMN error_message text NOT NULL DEFAULT '';
-- Whether every file is read, and what that found.
ALTER TABLE exports ADD COLUMN verifies_files boolean NOT NULL DEFAULT false,
    ADD COLUMN intact_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN lost_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN damaged_count bigint NOT NULL DEFAULT 0;
