"""A gunicorn worker whose threads never wait for a client: its event loop reads requests whole and sends answers.

gunicorn's threads read header and body from the socket and write to it, so eight clients that stop half-way hold all
eight. Here a thread gets a request once its last byte is there, and leaves to the loop what the socket does not take at
once, as nginx does for what stands behind it. docs/operations.md has it measured against gunicorn's own threads. Bodies
stay in memory: in a temporary file they would lie on the disk in clear.

A header has a time limit, a body and an answer have a least speed. When connections, bytes or threads run out, the
slowest client is dropped first. One large body is worked on at a time, and probes have a thread of their own.
"""
