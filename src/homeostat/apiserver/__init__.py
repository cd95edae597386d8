"""The request path: authenticate, authorize, admit, read, write, watch; discovery."""
