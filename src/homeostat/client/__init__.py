"""What talks to an API server, behind one contract: in process or over HTTP."""
