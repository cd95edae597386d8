"""Clients of API servers, behind one contract: in process or over HTTP."""
