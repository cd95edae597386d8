"""What is sent to pages over their WebSockets: windows of lists, objects, the journal."""
