"""What every process needs of its own: event loop, lock, allocator, systemd."""
