"""How the database is: read from PostgreSQL's own statistics, the same for a page, a command and a metric."""
