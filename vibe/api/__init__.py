"""/api/v1: the API operations of all apps."""
