"""Who asks: certificates, service account tokens, bootstrap tokens; and how others check ours."""
