#!/usr/bin/env bash
# Everything that is tested, in one command. As root on Debian it installs what it needs; elsewhere it says what it skips.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
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

if command -v cargo-deny >/dev/null; then
    say "licences, bans, sources"
    cargo deny --offline check licenses bans sources
else
    say "skipped: cargo-deny is not installed (cargo install cargo-deny)"
fi

say "tests"
# One command runs them all; the lab tests share three real hosts and take turns by a lock of their own.
cargo test --locked

say "all passed"
