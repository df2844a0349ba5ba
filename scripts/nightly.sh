#!/usr/bin/env bash
# npm run nightly: all tests with NETLAND_NIGHTLY=1, which makes long ones longer, and what is too
# long for every change. Last line and exit code as those of .ci/run, whose packages it needs.
set -uo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
export NETLAND_NIGHTLY=1 NETLAND_NO_SKIP=1
. scripts/steps.sh

step 'npm run check' 300 npm run check
step 'npm test' 3600 npm test
step 'Native core, plain and sanitized' 600 npm run test:native
step 'Native core, fuzzed' 2400 bash scripts/native-fuzz.sh 600
step 'Development addon, built by cmake-js' 600 npm run test:dev
step 'Package: prebuilt, built, and with neither' 600 npm run test:package
step 'Simulator: 20,000 seeds of mixed faults' 5400 npm run sim -- --seeds 20000 --from 1000000
step 'npm run bench:sim' 600 npm run bench:sim
step 'npm run mutants' 3600 npm run mutants
step 'npm run bench' 1800 npm run bench
step 'npm run bench:memory' 600 npm run bench:memory
step 'npm run bench:paths, once' 1800 npm run bench:paths -- --runs 1 --jobs 2
sum_up
