#!/bin/sh
# Lock what the images are made of, with the digests of every file: sh ops/lock.sh UV, where UV is the program uv.
# The versions are those of ops/container/constraints.txt; a name that is not there gets the latest that fits.
set -eu
cd "$(dirname "$0")/.."
lock() {
    out=$1
    shift
    "$uv" pip compile pyproject.toml "$@" --constraint ops/container/constraints.txt --generate-hashes --universal \
        --python-version 3.11 --no-header --no-annotate --quiet --output-file "ops/container/locked-$out.txt"
}
uv=$1
lock kedis --extra cli
lock load --extra cli --extra load
"$uv" pip compile --group build --constraint ops/container/constraints.txt --generate-hashes --universal \
    --python-version 3.11 --no-header --no-annotate --quiet --output-file ops/container/locked-build.txt
