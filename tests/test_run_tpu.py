"""The shell script that starts a command on all workers, without a TPU."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / 'experiments' / 'run_tpu.sh'
# Instead of gcloud: notes its arguments, one call a line.
GCLOUD = '#!/usr/bin/env bash\nprintf "%q " "$@" >>"$CALLS"; echo >>"$CALLS"\n'

# Instead of gcloud: one worker, a folder whose bin/ has all its programs.
WORKER = """#!/usr/bin/env bash
cd "$WORKER"
case $4 in
  scp) cp "$5" adseg_jax.tar.gz ;;
  ssh) PATH="$WORKER/bin" exec bash -c "${@: -1}" ;;
esac
"""
# A Python that is new enough, as far as it is asked.
PYTHON = """#!/usr/bin/env bash
if [ "$2" = venv ]; then
  mkdir -p "$3/bin"
  for name in pip python; do
    echo "echo \\"$name \\$*\\" >>../done" >"$3/bin/$name"
    chmod +x "$3/bin/$name"
  done
fi
"""


def run(tmp_path, *argv, path=''):
  calls = tmp_path / 'calls'
  done = subprocess.run(
      [SCRIPT, *argv], capture_output=True, text=True,
      env=os.environ | {
          'CALLS': str(calls), 'PATH': f'{path}{os.environ["PATH"]}',
          'WORKER': str(tmp_path / 'worker'),
      },
  )
  return done, calls.read_text().splitlines() if calls.exists() else []


def program(path, content):
  path.write_text(content)
  path.chmod(0o755)


@pytest.fixture
def worker(tmp_path):
  """One whose only Python is too old, such as Ubuntu 22.04's."""
  folder = tmp_path / 'worker'
  (folder / 'bin').mkdir(parents=True)
  for name in ('bash', 'mkdir', 'tar', 'gzip', 'cmp', 'cp', 'chmod'):
    (folder / 'bin' / name).symlink_to(shutil.which(name))
  program(folder / 'bin' / 'hostname', '#!/usr/bin/env bash\necho worker-7')
  program(folder / 'bin' / 'python3', '#!/usr/bin/env bash\nexit 1')
  program(tmp_path / 'gcloud', WORKER)
  return folder


def test_every_worker_gets_the_files_and_runs_the_command(tmp_path):
  program(tmp_path / 'gcloud', GCLOUD)
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


def test_a_worker_without_a_new_python_is_one_line(tmp_path, worker):
  done, _ = run(tmp_path, 'tpu1', 'zone-a', 'a.py', path=f'{tmp_path}:')
  assert done.returncode == 1 and not done.stdout
  assert done.stderr.startswith('error: worker-7 has no Python 3.11 or newer')
  assert 'sudo apt-get install python3.11-venv' in done.stderr
  assert done.stderr.count('\n') == 1
  assert not (worker / 'adseg_jax' / '.venv').exists()


def test_a_worker_installs_once_with_the_first_python_that_will_do(
    tmp_path, worker
):
  program(worker / 'bin' / 'python3.11', PYTHON)
  for _ in range(2):
    done, _ = run(
        tmp_path, 'tpu1', 'zone-a', 'a.py', '--name', 'a run',
        path=f'{tmp_path}:',
    )
    assert (done.returncode, done.stderr) == (0, '')
  trained = 'python a.py --name a run --distributed'
  installed, *rest = (worker / 'done').read_text().splitlines()
  assert installed.startswith('pip install') and '.[tpu,earth]' in installed
  assert rest == [trained, trained]


def test_too_few_arguments_is_one_line(tmp_path):
  done, calls = run(tmp_path, 'tpu1')
  assert done.returncode == 2 and not calls
  assert done.stderr.startswith('usage: ') and done.stderr.count('\n') == 1
