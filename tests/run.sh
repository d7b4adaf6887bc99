#!/usr/bin/env bash
# Everything that is tested, in one command. As root on Debian it installs what it needs; elsewhere it says what it skips.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # Here everything can be had, and a test that skips itself has failed.
    export LOCKKEEPER_SKIP_NOTHING=1
    missing=()
    for pair in sshd:openssh-server ssh:openssh-client debootstrap:debootstrap systemd-nspawn:systemd-container \
        ip:iproute2 pip3:python3-pip curl:curl tcsh:tcsh fish:fish sudo:sudo; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        say "installing ${missing[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
fi

say "format"
cargo fmt --check

say "lints"
cargo clippy --all-targets --locked -- -D warnings

say "lints of a build without practice hosts"
cargo clippy --no-default-features --lib --bins --locked -- -D warnings

if [ -n "${LOCKKEEPER_SKIP_NOTHING:-}" ] && ! command -v cargo-deny >/dev/null; then
    say "installing cargo-deny"
    cargo install --quiet --debug --locked cargo-deny
fi
if command -v cargo-deny >/dev/null; then
    say "licences, bans, sources"
    cargo deny check licenses bans sources
    if timeout 120 cargo deny fetch db 2>/dev/null; then
        say "advisories"
        cargo deny check --disable-fetch advisories
    else
        say "not checked: advisories, because their database cannot be had from here"
    fi
else
    say "skipped: cargo-deny is not installed (cargo install cargo-deny)"
fi

say "tests"
# One command runs them all; the lab tests share three real hosts and take turns by a lock of their own.
cargo test --locked

say "all passed"
