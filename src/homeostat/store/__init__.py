"""What keeps state: a flat, ordered key space with one monotone revision, behind one contract (`store.contract`)."""
