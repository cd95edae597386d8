"""What to do next for a Pod, and what its status is: the lifecycle table and pure functions beside it."""
