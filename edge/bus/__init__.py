"""The messages between processes and their transport: the only package that knows ZeroMQ."""
