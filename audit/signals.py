"""What the layers above hear of."""

from django.dispatch import Signal

# Sent before each row of the trail is written, so before whatever it records is committed. A receiver that raises
# stops it.
recording = Signal()
