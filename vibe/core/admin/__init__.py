"""The shared parts of the admin pages of all apps."""
