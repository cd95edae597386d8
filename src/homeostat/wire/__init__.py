"""HTTP as the project speaks it: requests and responses as data, an HTTP/1.1 server edge and a client connection."""
