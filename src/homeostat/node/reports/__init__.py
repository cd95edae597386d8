"""What the node reports to the API about its Pods: their statuses, and the mirrors of static Pods."""
