"""The back end of the Console: web pages that follow a cluster, through the failures of its API servers too."""
