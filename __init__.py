"""primacy: deep RL agents, primacy bias, the remedies against it, and the measurements."""

__version__ = "0.1.0"
