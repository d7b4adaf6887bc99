//! The only part that acts: one total order of events, effects become work on hosts.
