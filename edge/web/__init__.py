"""Pages for browsers and metrics for Prometheus, on Tornado. The process is edge.services.web."""
