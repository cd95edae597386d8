"""What this network namespace holds: rules, links, routes and connections, changed by the programs that exist."""
