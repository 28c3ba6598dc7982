"""/api/v1: the operations of all apps under one roof."""
