-- What an export could not write, named for people.
ALTER TABLE exports ADD COLUMN error_message text NOT NULL DEFAULT '';
