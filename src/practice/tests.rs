//! The built-in runbook's scripts, by hand and in order, on the practice cluster.
