"""Live memory, measured from outside: over HTTP, beside real workers, on a real PostgreSQL."""
