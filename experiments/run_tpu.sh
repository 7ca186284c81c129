#!/usr/bin/env bash
# Starts one command on every worker of a TPU VM; the first one's output is
# shown. The same line again continues a run that was preempted.
#
#   experiments/run_tpu.sh NAME ZONE experiments/earth.py \
#       --workdir gs://BUCKET/earth --data.batch 64
#
# It copies this repository to each worker, installs it there once, and gives
# the script --distributed. gcloud must be logged in.
set -euo pipefail

if [[ $# -lt 3 ]]; then
  echo "usage: $0 NAME ZONE SCRIPT [OPTION...]: see the first lines of $0" >&2
  exit 2
fi
name=$1 zone=$2
shift 2
cd "$(dirname "$0")/.."
command -v gcloud >/dev/null || {
  echo "error: gcloud is missing: install the Google Cloud CLI" >&2
  exit 1
}

on_workers() {
  gcloud compute tpus tpu-vm ssh "$name" --zone "$zone" --worker "$1" \
    --command "$2"
}

archive=$(mktemp --suffix .tar.gz)
trap 'rm -f "$archive"' EXIT
git archive --format tar.gz --output "$archive" HEAD
gcloud compute tpus tpu-vm scp "$archive" "$name:adseg_jax.tar.gz" \
  --zone "$zone" --worker all

on_workers all '
  set -e
  mkdir -p adseg_jax && tar -xzf adseg_jax.tar.gz -C adseg_jax
  cd adseg_jax
  if ! cmp -s constraints.txt .venv/installed; then
    for python in python3.12 python3.11 python3 none; do
      $python -c "import venv, ensurepip, sys
sys.exit(sys.version_info < (3, 11))" 2>/dev/null && break
    done
    if [ $python = none ]; then
      echo "error: $(hostname) has no Python 3.11 or newer with venv:" \
        "install one on every worker: sudo apt-get install python3.11-venv" >&2
      exit 1
    fi
    $python -m venv .venv
    .venv/bin/pip install --quiet --constraint constraints.txt \
      --editable ".[tpu,earth]"
    cp constraints.txt .venv/installed
  fi'

printf -v words '%q ' "$@"
on_workers all "cd adseg_jax && .venv/bin/python $words --distributed"
