"""Questions over the history of logs that are ready to be asked, each an .sql file in ``sql/``."""
