"""What may be disturbed: disruption budgets."""
