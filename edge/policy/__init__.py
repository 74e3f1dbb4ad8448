"""Decisions without I/O: pure functions and classes that a test feeds with numbers and times."""
