//! The session on disk: append, fsync, hash chain, read, follow, verify.
