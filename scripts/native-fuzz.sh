#!/usr/bin/env bash
# Runs each fuzzer of the native core for a while (default: 60 s each). Needs clang.
# usage: scripts/native-fuzz.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
build=build/native-fuzz
mkdir -p "$build"
if ! command -v clang++ >/dev/null; then
  echo 'clang++ is missing: apt-get install clang libclang-rt-14-dev'
  echo '0 passed, 0 failed, 4 skipped'
  exit 0
fi
if ! { cmake -S native -B "$build" -DCMAKE_CXX_COMPILER=clang++ -DNETLAND_FUZZ=ON &&
  cmake --build "$build" --parallel 2 --target netland_fuzz_parse \
    netland_fuzz_rebuild netland_fuzz_vnet netland_fuzz_frame netland_fuzz_seeds; } \
  >"$build/build.log" 2>&1; then
  cat "$build/build.log"
  echo '0 passed, 4 failed, 0 skipped'
  exit 1
fi

passed=0 failed=0
for target in parse rebuild vnet frame; do
  corpus=$build/corpus-$target
  mkdir -p "$corpus"
  "$build/fuzz/netland_fuzz_seeds" "$corpus"
  if timeout $((seconds + 60)) "$build/fuzz/netland_fuzz_$target" -max_total_time="$seconds" \
    -max_len=2048 -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$build/" "$corpus" \
    >"$build/$target.log" 2>&1; then
    printf '%s: %s inputs\n' "$target" \
      "$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$target.log")"
    passed=$((passed + 1))
  else
    tail -n 60 "$build/$target.log"
    failed=$((failed + 1))
  fi
done
printf '%s passed, %s failed, 0 skipped\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
