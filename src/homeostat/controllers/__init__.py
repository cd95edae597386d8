"""The loops of the controller manager, one file each; pure decisions over informer caches."""
