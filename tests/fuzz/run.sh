#!/usr/bin/env bash
# Looks for inputs that nobody thought of: tests/fuzz/run.sh TARGET [MINUTES]   (10 minutes unless said otherwise)
#
# What libFuzzer finds worth keeping goes to a scratch corpus; what makes a target fail lies in tests/fuzz/__fuzz__/TARGET/crashes,
# where `cargo test --test fuzz` plays it until it is mended. Needs a C++ compiler, and nothing beyond the stable toolchain.
# `tests/fuzz/run.sh TARGET keep` adds the smallest inputs that go where no kept one goes to what CI plays.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${1:?which target? one of: $(sed -n "s|^    \([a-z_]*\): [a-z]*::.*|\1|p" tests/fuzz/main.rs | tr "\n" " ")}
minutes=${2:-10}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/fuzzing
export RUSTFLAGS="--cfg fuzzing --cfg fuzzing_libfuzzer -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
    -Clink-arg=-Wl,--unresolved-symbols=ignore-all"
RUSTFLAGS=$(tr -s '\n ' ' ' <<<"$RUSTFLAGS")

# libFuzzer is linked into the test alone: the program, which is built beside it, does without (the last flag).
# With a target of its own, programs that run while building are not built so.
host=$(rustc -vV | sed -n 's/^host: //p')
program=$(cargo test --test fuzz --profile fuzz --target "$host" --no-default-features --locked --no-run --message-format=json |
    grep -o '"executable":"[^"]*/fuzz-[^"]*"' | cut -d'"' -f4)

kept=tests/fuzz/__fuzz__/$target/corpus
failed=tests/fuzz/__fuzz__/$target/crashes
found=$CARGO_TARGET_DIR/found/$target
mkdir -p "$found" "$kept" "$failed"

export BOLERO_TEST_NAME=$target BOLERO_LIBTEST_HARNESS=1
if [ "$minutes" = keep ]; then
    export BOLERO_LIBFUZZER_ARGS="-set_cover_merge=1 -max_len=512 $kept $found"
else
    export BOLERO_LIBFUZZER_ARGS="-max_total_time=$((minutes * 60)) -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 -artifact_prefix=$failed/ $found $kept"
fi
status=0
nice "$program" --exact "$target" --nocapture --test-threads=1 || status=$?
rmdir --ignore-fail-on-non-empty "$failed"
exit "$status"
