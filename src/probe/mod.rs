//! The one read-only script that gathers facts, and a parser a tool.
