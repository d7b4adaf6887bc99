//! Simulated hosts: the same runbooks, probe and parsers, on a cluster that cannot be hurt.
