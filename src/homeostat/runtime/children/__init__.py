"""Commands as children of this process: fork them, give them their view of the files, wait for them, end them."""
