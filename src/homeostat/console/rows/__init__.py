"""Objects as rows of a list: cells, status and tone, and how rows are sorted. All of it is pure."""
