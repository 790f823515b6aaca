"""Taskiq tasks over Redis Streams."""
