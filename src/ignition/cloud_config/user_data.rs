//! What a host's user-data is, before anything of it is read.

/// What the user-data of a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserData {
    /// Begins with `#cloud-config`.
    CloudConfig,
    /// Begins with `#!`.
    Script,
    /// JSON.
    Ignition,
    /// Of a cloud-init that Container Linux never had.
    Foreign,
    /// Anything else, such as a Container Linux Config.
    Other,
}

/// What a user-data text is, by its first line, as coreos-cloudinit tells it.
#[must_use]
pub fn user_data(text: &str) -> UserData {
    let first = text.lines().next().unwrap_or_default().trim_end();
    let foreign =
        ["#include", "#cloud-boothook", "#upstart-job", "#part-handler", "#cloud-config-archive", "## template:"];
    if first == "#cloud-config" {
        UserData::CloudConfig
    } else if first.starts_with("#!") {
        UserData::Script
    } else if text.trim_start().starts_with('{') {
        UserData::Ignition
    } else if foreign.iter().any(|start| first.starts_with(start)) || first.to_lowercase().starts_with("content-type:")
    {
        UserData::Foreign
    } else {
        UserData::Other
    }
}
