"""Who is signed in: sealed sessions, and codes that sign in once."""
