"""How connections reach the endpoints of Services, and Pods one another: decisions, and what makes them true."""
