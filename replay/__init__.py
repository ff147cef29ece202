"""Where experience is kept: one buffer for all agents, and the append-only journal on disk."""
