"""Signals of the audit log."""

from django.dispatch import Signal

# Sent before each row is written, and so before the recorded action commits. A receiver that raises prevents both.
recording = Signal()
