"""Signals of the memories. Receivers run in the transaction of the change."""

from django.dispatch import Signal

# Arguments: user_id, conversation_ids, and only_added if nothing that existed was changed. Sent inside
# as_user(user_id).
conversations_changed = Signal()
