# Sourced by .ci/run and scripts/nightly.sh: runs steps and adds up what they count.

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0

# step NAME SECONDS COMMAND...: runs it. It counts as one check, unless it has printed counts of its
# own (`N passed, N failed, N skipped`, a line for each part), which are then added.
step() {
  local name=$1 limit=$2 started=$SECONDS status counted=0 bad=0 p f s
  shift 2
  printf '\n=== %s\n' "$name"
  timeout --kill-after=10 "$limit" "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  while read -r p f s; do
    counted=1
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s)) bad=$((bad + f + s))
  done < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$log")
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
    failed=$((failed + 1))
  elif [ "$counted" -eq 0 ]; then
    passed=$((passed + 1))
  fi
  printf '=== %s: exit %s after %s s\n' "$name" "$status" $((SECONDS - started))
}

# The last line, and the exit code: 0 only if all passed.
sum_up() {
  printf '\n%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" -eq 0 ] && [ "$skipped" -eq 0 ] && [ "$passed" -gt 0 ]
}
