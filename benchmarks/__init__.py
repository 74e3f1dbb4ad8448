"""Speed, latency and memory of the product as it runs: `make bench`."""
