"""What the layers above hear of. Receivers run in the transaction of the change."""

from django.dispatch import Signal

# Arguments: user_id, conversation_ids. Sent inside as_user(user_id).
conversations_changed = Signal()
