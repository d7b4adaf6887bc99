//! Lockkeeper, a terminal upgrade wizard for etcd and Kubernetes hosts.
//!
//! The library holds every room of the house; the binary is a thin front door. The README's architecture section says
//! which room may know which.

pub mod engine;
pub mod hosts;
pub mod model;
