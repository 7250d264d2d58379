# Shared by the scripts beside it. Sourced, never run.

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps="$root/build/deps"
cache="${KS_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/kubesentiment}"
jobs="${KS_JOBS:-$(nproc)}"
# What one checkout compiled serves another: paths below the root are not part of the key.
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1

# Succeeds if `$1` (a file) has the SHA-256 `$2`.
has_sha256() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]; }

# Configures preset `$1`, with KS_TORCH as in the environment; speaks only when that fails.
configure() {
  local log
  command -v cmake >/dev/null || die "cmake is missing; run: scripts/setup run"
  log=$(cmake --preset "$1" ${KS_TORCH:+-D KS_TORCH="$KS_TORCH"} 2>&1) || { say "$log"; return 1; }
}

# Makes the Python environment `$1` from the lock file `$2`, unless it is there already.
provide_venv() {
  local venv="$1" lock="$2" stamp command
  stamp="$venv/.lock-$(sha256sum "$lock" | cut -c1-16)"
  [ -e "$stamp" ] && return 0
  say "making the Python environment ${venv#"$root"/}"
  rm -rf "$venv"
  python3 -m venv "$venv" || die "could not make a venv; run: apt-get install python3-venv"
  command=("$venv/bin/pip" install -q --disable-pip-version-check --require-hashes --only-binary=:all: -r "$lock")
  "${command[@]}" || die "could not install the packages of $lock; run: ${command[*]}"
  touch "$stamp"
}
