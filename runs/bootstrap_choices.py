"""Choices of a bootstrap, where commands can import them without numpy."""

from typing import Literal

Interval = Literal["calibrated", "percentile", "bca", "basic", "studentised"]
Unit = Literal["runs", "tasks", "both"]
Band = Literal["pointwise", "simultaneous"]
