#!/usr/bin/env bash
# What to do with a GPU that is at hand for minutes: everything in one call, in the order of its
# value, each part within its own limit and each result written when it is there.
#
#   scripts/gpu.sh measure OUT [SECONDS]   correctness, then how fast: OUT/bench.jsonl
#   scripts/gpu.sh rows OUT [SECONDS]      rows of the paper's preset still missing: OUT/paper.jsonl
#   scripts/gpu.sh check OUT [SECONDS]     bfloat16 against the float32 reference: OUT/check.jsonl
#
# In a copy without .git say which commit it is of: TRIFEATURE_COMMIT=$(git rev-parse --short=12 HEAD).
# Needs a Python with torch, torchvision and the package's other dependencies; nothing is installed.
# `rows` starts from figures/paper.jsonl where there is one: put OUT/paper.jsonl in its place
# afterwards, and the next call goes on from there.
set -u
cd "$(dirname "$0")/.."
what=${1:?measure, rows or check}
out=${2:?a folder for the results}
seconds=${3:-570}
python=${PYTHON:-python3}
mkdir -p "$out"
export PYTHONPATH=$PWD PYTHONUNBUFFERED=1 TRIFEATURE_TRACEBACK=1 TORCHINDUCTOR_FX_GRAPH_CACHE=1
ends=$((SECONDS + seconds))

left() { echo $((ends - SECONDS)); }
comm_probe() { "$python" -c 'from trifeature.cli import comm_probe_main; comm_probe_main()' "$@"; }
# part LIMIT NAME COMMAND...: run it for at most LIMIT seconds, or what is left; go on if it fails.
part() {
  local limit=$1 name=$2
  shift 2
  [ "$(left)" -lt "$limit" ] && limit=$(left)
  [ "$limit" -lt 10 ] && { echo "== $name: no time left"; return; }
  echo "== $name, at most $limit s"
  local started=$SECONDS
  if timeout -k 5 "$limit" bash -c "$(declare -f comm_probe); python='$python'; \"\$@\"" _ "$@" \
      > "$out/$name.log" 2>&1; then
    echo "   ended in $((SECONDS - started)) s"
  else
    echo "   FAILED ($?; 124: out of time) after $((SECONDS - started)) s"
  fi
  tail -n 30 "$out/$name.log"
}

case $what in
measure)
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
  bench=(comm_probe bench --preset paper --device cuda --no-probe --rows "$out/bench.jsonl")
  part 60 bench-eager "${bench[@]}" --execution plain
  part 120 bench-graphs "${bench[@]}" --execution graphs
  # The files that have tests for a GPU alone: others may import what is not installed here. A
  # warning of a library that nobody has met on this GPU is no failure.
  part 180 gpu-tests "$python" -m pytest -v -m gpu -W default -p no:cacheprovider --tb=short \
    tests/extra/test_accelerate.py $(grep -rl --include='test_*.py' 'pytest.mark.gpu' tests | sort)
  part 60 bench-compiled "${bench[@]}" --execution compiled
  part 60 bench-float32 "${bench[@]}" --precision float32
  part 120 bench-reference "${bench[@]}" --execution plain --reference --steps 10
  # Do several runs side by side raise throughput? Twice the step time means they do not.
  part 120 bench-two-at-once bash -c '
    for i in 1 2; do
      "$0" -c "from trifeature.cli import comm_probe_main; comm_probe_main()" bench \
        --preset paper --device cuda --execution graphs --no-probe --steps 200 \
        --rows "$1/two-at-once.jsonl" &
    done; wait' "$python" "$out"
  part 120 bench-probe "${bench[@]}" --execution plain --probe
  ;;
rows)
  [ -f "$out/paper.jsonl" ] || cp figures/paper.jsonl "$out/paper.jsonl" 2>/dev/null
  part "$seconds" rows comm_probe reproduce all --preset paper --device cuda \
    --time-budget "$((seconds - 30))" --rows "$out/paper.jsonl" --out "$out/runs"
  ;;
check)
  for precision in bfloat16 float32; do
    part $((seconds / 2)) "check-$precision" comm_probe reproduce table4 --preset paper \
      --device cuda --seeds 1 --epochs 10 --precision "$precision" \
      --time-budget "$((seconds / 2 - 20))" --rows "$out/check.jsonl" --out "$out/runs"
  done
  ;;
*)
  echo "unknown: $what (measure, rows or check)" >&2
  exit 2
  ;;
esac
