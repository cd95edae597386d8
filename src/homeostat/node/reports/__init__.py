"""What the node says of its Pods to the API: their statuses, and the mirrors of static Pods."""
