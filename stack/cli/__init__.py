"""The llm-observe command: ``main`` starts and stops, every other subcommand has a module of its own.

server      the connection to the running server
database    the connection to the database
output      tables and progress
"""
