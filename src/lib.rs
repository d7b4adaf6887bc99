//! Lockkeeper, a terminal upgrade wizard for etcd and Kubernetes hosts.
//!
//! The library holds every room of the house; the binary is a thin front door. The README's architecture section says
//! which room may know which.

pub mod cli;
pub mod commands;
pub mod documents;
pub mod engine;
pub mod hosts;
pub mod ignition;
pub mod import;
pub mod journal;
pub mod model;
#[cfg(feature = "practice")]
pub mod practice;
pub mod probe;
pub mod runner;
pub mod settings;
pub mod ui;
pub mod yaml;
