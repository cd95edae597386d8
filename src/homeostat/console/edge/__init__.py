"""What a browser asks for over HTTP: the page, the session, the way to the API; and what is refused to others."""
