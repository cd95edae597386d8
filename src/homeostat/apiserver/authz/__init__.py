"""Authorization: the Node authorizer, RBAC, and the roles that every cluster starts with."""
