//! A container runtime's socket in checks: `socket_path(s)`. kubeadm and the kubelet write one and the same place in many
//! forms: with `unix://` or without, under `/run` or under `/var/run`, which is a link to it on every host of systemd.

use std::sync::Arc;

use cel::Context;

/// The name that is added to the language.
pub(super) const FUNCTION: &str = "socket_path";

/// Adds it.
pub(super) fn add_to(context: &mut Context<'_, '_>) {
    // Refused only for a name that the language has already, and this is none.
    let _ = context.add_function(FUNCTION, |socket: Arc<String>| path(&socket));
}

/// `/run/containerd/containerd.sock` of `unix:///var/run/containerd/containerd.sock`.
fn path(socket: &str) -> String {
    let path = socket.strip_prefix("unix://").unwrap_or(socket);
    path.strip_prefix("/var/run/").map_or_else(|| path.to_owned(), |rest| format!("/run/{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_is_one_place_however_it_is_written() {
        for written in ["unix:///var/run/crio/crio.sock", "/var/run/crio/crio.sock", "unix:///run/crio/crio.sock"] {
            assert_eq!(path(written), "/run/crio/crio.sock");
        }
        assert_ne!(path("/var/run/dockershim.sock"), path("/run/containerd/containerd.sock"));
        assert_eq!(path("npipe:////./pipe/containerd"), "npipe:////./pipe/containerd", "not ours to read");
    }
}
