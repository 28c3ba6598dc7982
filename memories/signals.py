"""What the layers above hear of. Receivers run in the transaction of the change."""

from django.dispatch import Signal

# Arguments: user_id, conversation_ids, and only_added where nothing that was there is another now. Sent inside
# as_user(user_id).
conversations_changed = Signal()
