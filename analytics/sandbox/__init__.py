"""Runs one query over a project's logs in a process of its own, which the operating system confines.

``query`` has what callers say and get, ``errors`` what can go wrong, ``processes.QueryProcesses`` runs queries.
"""
