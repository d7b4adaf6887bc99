//! Container Linux Config to Ignition, and the lint for destructive content.
