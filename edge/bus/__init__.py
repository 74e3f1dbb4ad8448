"""What is said between processes and how it travels: the only place that knows ZeroMQ."""
