#!/bin/sh
# System packages: installs what is missing when run as root on Debian, else names it with the exact install line.
# system.sh build|test PYTHON
set -u
what=$1 python=${2:-python3}
missing=
need() { # need "shell test" package
    sh -c "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need 'command -v cc' gcc
header() { # name package "what stands before the #include": without a compiler, where Debian has it
    if command -v cc >/dev/null; then need "printf '${3-}#include <$1>\n' | cc -E -x c -" "$2"; else need "test -e /usr/include/$1" "$2"; fi
}
header pcre2.h libpcre2-dev '#define PCRE2_CODE_UNIT_WIDTH 8\n'
header crypt.h libcrypt-dev
header zlib.h zlib1g-dev
header stdlib.h libc6-dev
need "$python -m venv --help && $python -c 'import ensurepip'" python3-venv
need "test -e \$($python -c 'import sysconfig; print(sysconfig.get_paths()[\"include\"])')/Python.h" python3-dev
if [ "$what" = test ]; then
    while read -r check package; do
        case "$check" in ''|'#'*) continue;; esac
        need "$(printf %s "$check" | tr '~' ' ')" "$package"
    done <"$(dirname "$0")/system-packages.txt"
fi
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/tmp/pyhost-apt.log 2>&1 && exit 0
    echo "apt-get failed, see /tmp/pyhost-apt.log" >&2
fi
echo "missing system packages; install them with: apt-get install$missing" >&2
[ "$what" = test ] && exit 0   # tests say plainly what they skip
exit 1
