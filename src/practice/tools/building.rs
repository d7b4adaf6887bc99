//! What a build host has: swap, compressed memory, and `makepkg`, which is killed where memory is short.

use std::time::Duration;

use super::{Call, Exit};

const SWAPS: &str = "/proc/swaps";
const HEAD: &str = "Filename Type Size Used Priority\n";

pub(super) async fn zramctl(call: &Call<'_>) -> Exit {
    if call.has("--find") { call.say("/dev/zram0\n").await } else { Ok(0) }
}

pub(super) fn swapon(call: &Call<'_>) -> i32 {
    let Some(device) = call.args().last().map(str::to_owned) else { return 0 };
    let kind = if device.starts_with("/dev/") { "partition" } else { "file" };
    let text = call.disk.text(SWAPS).unwrap_or_else(|| HEAD.into());
    call.disk.put(SWAPS, format!("{text}{device} {kind} 2097148 0 10\n"));
    0
}

pub(super) fn swapoff(call: &Call<'_>) -> i32 {
    call.disk.put(SWAPS, HEAD);
    0
}

pub(super) fn fallocate(call: &Call<'_>) -> i32 {
    if let Some(file) = call.args().last() {
        call.disk.put(call.path(file), "");
    }
    0
}

/// `runuser -u USER -- makepkg …`, in the directory of a PKGBUILD.
pub(super) async fn runuser(call: &Call<'_>) -> Exit {
    if !call.has("makepkg") {
        return call.fail("runuser: this practice host knows of makepkg only", 1).await;
    }
    let Some(text) = call.disk.text(call.path("PKGBUILD")) else {
        return call.fail("==> ERROR: PKGBUILD does not exist.", 1).await;
    };
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned();
    let (name, version, release) = (value("pkgname="), value("pkgver="), value("pkgrel="));
    call.progress(format!("==> Making package: {name} {version}-{release}")).await?;
    let memory = call.disk.text(SWAPS).is_some_and(|swaps| swaps.lines().count() > 1);
    tokio::time::sleep(Duration::from_secs(20)).await;
    if name == "kubernetes" && !memory {
        let text =
            "/usr/lib/go/pkg/tool/linux_arm64/compile: signal: killed\n==> ERROR: A failure occurred in build().";
        return call.fail(text, 4).await;
    }
    let file = call.path(&format!("{name}-{version}-{release}-aarch64.pkg.tar.xz"));
    call.disk.put(file, format!("{name} {version}-{release}\n"));
    call.progress(format!("==> Finished making: {name} {version}-{release}")).await?;
    Ok(0)
}
