"""What the layers above hear of."""

from django.dispatch import Signal

# Arguments: strategy, seconds, degraded (by words alone). Nothing of the question, the person or what was found.
searched = Signal()
