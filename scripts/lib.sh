# Shared by the scripts beside it. Sourced, never run.

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps="$root/build/deps"
cache="${KS_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/kubesentiment}"

# Succeeds if `$1` (a file) has the SHA-256 `$2`.
has_sha256() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]; }
