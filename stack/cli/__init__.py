"""The llm-observe command: ``main`` starts and stops, every other subcommand has a module of its own.

server      which server is asked, and the connection to it
database    the connection to the database
deployment  the server's health and the processes on this machine
output      JSON, tables, hints and progress
program     how this command is called here
document    docs/cli.md
"""
