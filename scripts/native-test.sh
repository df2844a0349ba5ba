#!/usr/bin/env bash
# Builds the native core and runs its tests, plain and under AddressSanitizer and
# UndefinedBehaviorSanitizer, in build/native-*. The last line counts the tests of both runs.
set -euo pipefail
cd "$(dirname "$0")/.."

passed=0 failed=0 skipped=0

# run VARIANT CMAKE_OPTION...: adds to the counts. A build that fails, and a run that fails without
# saying which test did, are one failure.
run() {
  local variant=$1 build=build/native-$1 log=build/native-$1/test.log status=0 p=0 f=0 s=0
  shift
  mkdir -p "$build"
  if ! { cmake -S native -B "$build" -DCMAKE_COMPILE_WARNING_AS_ERROR=ON "$@" &&
    cmake --build "$build" --parallel 2; } >"$build/build.log" 2>&1; then
    cat "$build/build.log"
    failed=$((failed + 1))
    return
  fi
  timeout --kill-after=5 180 ctest --test-dir "$build" --verbose >"$log" 2>&1 || status=$?
  read -r p f s < <(sed -nE 's/^1: ([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' \
    "$log") || true
  if [ "$status" -ne 0 ] && [ "${f:-0}" -eq 0 ]; then
    cat "$log"
    f=1
  fi
  grep -E '^1: (FAILED|skipped) ' "$log" || true
  printf '%s: %s passed, %s failed, %s skipped\n' "$variant" "${p:-0}" "${f:-0}" "${s:-0}"
  passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0})) skipped=$((skipped + ${s:-0}))
}

run plain
run sanitized -DNETLAND_SANITIZE=ON

printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
