"""What is learned: networks, losses, one gradient step. Knows nothing of environments or files."""
