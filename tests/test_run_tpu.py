"""The shell script that starts a command on all workers, without a TPU."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / 'experiments' / 'run_tpu.sh'
# Instead of gcloud: notes its arguments, one call a line.
GCLOUD = '#!/usr/bin/env bash\nprintf "%q " "$@" >>"$CALLS"; echo >>"$CALLS"\n'


def run(tmp_path, *argv, path=''):
  calls = tmp_path / 'calls'
  done = subprocess.run(
      [SCRIPT, *argv], capture_output=True, text=True,
      env=os.environ | {
          'CALLS': str(calls), 'PATH': f'{path}{os.environ["PATH"]}',
      },
  )
  return done, calls.read_text().splitlines() if calls.exists() else []


def test_every_worker_gets_the_files_and_runs_the_command(tmp_path):
  (tmp_path / 'gcloud').write_text(GCLOUD)
  (tmp_path / 'gcloud').chmod(0o755)
  done, calls = run(
      tmp_path, 'tpu1', 'zone-a', 'experiments/earth.py', '--workdir',
      'gs://bucket/a run', path=f'{tmp_path}:',
  )
  assert (done.returncode, done.stderr) == (0, '')
  copy, install, train = calls
  assert 'scp' in copy and 'tpu1:adseg_jax.tar.gz' in copy
  for call in calls:
    assert '--zone zone-a' in call and '--worker all' in call
  assert 'constraints.txt' in install
  # Quoted twice: by the script for the worker, and by the stand-in.
  assert r'gs://bucket/a\\\ run' in train
  assert train.rstrip().endswith(r'--distributed')


def test_too_few_arguments_is_one_line(tmp_path):
  done, calls = run(tmp_path, 'tpu1')
  assert done.returncode == 2 and not calls
  assert done.stderr.startswith('usage: ') and done.stderr.count('\n') == 1
