-- One index where two were. log_keys keeps log_id unique, so that this key need not lead with it: rows of one
-- project arrive in order of time, at the index's right edge, where ids are spread over all of it.
ALTER TABLE logs DROP CONSTRAINT logs_pkey;
DROP INDEX logs_by_time;
ALTER TABLE logs ADD PRIMARY KEY (project_id, start_time, log_id);
