"""From data to a measured int8 model: prepare, train, convert, evaluate. Not for the device."""
