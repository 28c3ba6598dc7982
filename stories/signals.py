"""What the layers above hear of."""

from django.dispatch import Signal

# Arguments: strategy, seconds, degraded (by words alone). Nothing of the question, the person or what was found.
searched = Signal()

# Arguments: unfounded (nobody said the words that they are read from), unfit (about nothing known, nobody's).
facts_left_out = Signal()
