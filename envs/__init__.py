"""Where experience comes from: one Gymnasium API over the suites, stepped in lock-step lanes."""
