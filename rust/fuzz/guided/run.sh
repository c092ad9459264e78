#!/usr/bin/env bash
# libFuzzer over every target, or over those named: SECONDS_EACH=600 rust/fuzz/guided/run.sh [TARGET…]
# Works on stable Rust: the coverage pass is LLVM's own, and no sanitiser is used. What it finds lies
# in target/fuzz/<target>/; copy it to rust/fuzz/seeds/<target>/ under a name that says what it is.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
work=${CARGO_TARGET_DIR:-$root/target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
seconds=${SECONDS_EACH:-600}
cover=(-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares)
# Flags for the target alone: build scripts and macros are not to be counted.
RUSTFLAGS="${cover[*]}" cargo build --release --locked --quiet --target "$host" --target-dir "$work/build"
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(sed -n 's/^    ("\([a-z_]*\)", .*/\1/p' ../src/lib.rs)
failed=()
for target in "${targets[@]}"; do
  seeds=(../seeds/"$target")
  [ "$target" = message ] && seeds+=("$root"/tests/data/torture/rfc4475 "$root"/tests/data/torture/rfc5118)
  mkdir -p "$work/$target/corpus"
  printf '=== %s\n' "$target"
  FUZZ_TARGET=$target "$work/build/$host/release/trivox-fuzz-guided" -dict="$root/rust/fuzz/dictionary.txt" \
    -max_len=4096 -timeout=5 -rss_limit_mb=1024 -max_total_time="$seconds" -verbosity=0 -print_final_stats=1 \
    -artifact_prefix="$work/$target/" "$work/$target/corpus" "${seeds[@]}" || failed+=("$target")
done
[ ${#failed[@]} -eq 0 ] || { echo "found something: ${failed[*]}"; exit 1; }
