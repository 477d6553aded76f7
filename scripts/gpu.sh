#!/usr/bin/env bash
# What to do with a GPU that is at hand for minutes: see scripts/gpu.py, which says what each does.
#
#   scripts/gpu.sh smoke OUT [SECONDS]   does everything run, how fast, and how: OUT/smoke.jsonl
#   scripts/gpu.sh rows OUT SECONDS      rows of `paper` and `fast`, the most valuable first
#
# Nothing is installed. In a copy without .git say which commit it is of:
# TRIFEATURE_COMMIT=$(git rev-parse --short=12 HEAD).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
exec "${PYTHON:-python3}" "$root/scripts/gpu.py" "$@"
