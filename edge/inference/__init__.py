"""Models and features: numpy in, numpy out. Knows no messages, no sockets, no devices."""
