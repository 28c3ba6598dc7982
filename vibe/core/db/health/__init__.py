"""The health of the database, from PostgreSQL's own statistics: the same for a page, a command and a metric."""
