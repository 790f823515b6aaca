"""Runs one query over a project's logs in a process of its own, which the operating system confines.

``query`` has queries and answers, ``errors`` what can go wrong; ``processes.QueryProcesses`` runs queries.
"""
