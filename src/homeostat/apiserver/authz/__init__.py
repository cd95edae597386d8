"""Who may: the Node authorizer, RBAC, and the roles that every cluster starts with."""
