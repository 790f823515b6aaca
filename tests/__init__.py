"""Tests, apart from the code they test."""
