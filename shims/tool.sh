#!/bin/sh
# A shim of lynkr's: this tool runs through lynkr. Without it, once: LYNKR_SHIM=off TOOL …; for good: lynkr shim remove
# The tool itself is looked for each time, past this folder, so that its upgrades and moves do no harm.
lynkr='@LYNKR@'
tool=${0##*/}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)

real=
rest=$PATH:
while [ -n "$rest" ]; do
  folder=${rest%%:*}
  rest=${rest#*:}
  [ -x "${folder:-.}/$tool" ] && [ ! -d "${folder:-.}/$tool" ] || continue
  # Neither this one nor another's: they would call each other for ever.
  head -c 300 "${folder:-.}/$tool" 2>/dev/null | grep -q "A shim of lynkr's" && continue
  real=${folder:-.}/$tool
  break
done
if [ -z "$real" ]; then
  echo "lynkr: $tool is not found on PATH past lynkr's shim; install it, or: lynkr shim remove $tool" >&2
  exit 127
fi

if [ "$LYNKR_SHIM" = off ]; then
  echo "lynkr: $tool runs without lynkr (LYNKR_SHIM=off)" >&2
  exec "$real" "$@"
fi
[ -x "$lynkr" ] || lynkr=$(command -v lynkr)
if ! "$lynkr" --version >/dev/null 2>&1; then
  echo "lynkr: it cannot be started, so $tool runs without it; mend it, or: rm $here/$tool" >&2
  exec "$real" "$@"
fi
exec "$lynkr" run --join "$real" "$@"
