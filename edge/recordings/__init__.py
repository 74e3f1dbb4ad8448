"""What the recorder keeps: files of SQLite, one a day (UTC), and how they are read and exported."""
