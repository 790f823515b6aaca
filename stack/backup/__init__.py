"""Backups: all rows of Postgres as of one instant, and the files of the lake, in one folder.

archive     the folder: its manifest, checksums, and how it becomes whole
create      makes a backup
restore     puts one into an empty database and lake
"""
