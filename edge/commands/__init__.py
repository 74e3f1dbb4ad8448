"""A file is a command, as in services/ a file is a process; `main` chooses."""
