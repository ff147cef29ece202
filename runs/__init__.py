"""Making and reading runs: the loop, the run folder, sweeps, the command line, statistics and
reports."""
