"""The admin pages of this app."""

from accounts.admin import people  # noqa: F401
