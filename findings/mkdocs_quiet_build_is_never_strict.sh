#!/usr/bin/env bash
# MkDocs 1.6.1, CPython 3.11.
#
# `mkdocs build --strict` ends with 1 if a page links to a page that is not there. Together with `--quiet`, the obvious pair
# for continuous integration, the same site builds with exit code 0 and without a word. Strictness counts the warnings that
# reach a log handler, and --quiet raises the logger's level above warnings, so none is ever counted. What fails as an
# error, such as a file of the configuration that is missing, still ends the quiet build; only what strictness adds is gone.
#
# Exits 0 while that is so. Installs into a temporary folder; nothing is left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet --disable-pip-version-check 'mkdocs==1.6.1' 'click==8.1.8'
cd "$folder"
mkdir docs
echo 'site_name: A site' >mkdocs.yml
echo '[a page](missing.md)' >docs/index.md
outcome() {
    local code=0
    NO_MKDOCS_2_WARNING=1 venv/bin/mkdocs build --site-dir site "$@" >output 2>&1 || code=$?
    echo "$* -> $code, $(grep -c . output || true) lines"
}
outcome --strict | tee found
outcome --quiet --strict | tee -a found
outcome --quiet --strict --config-file gone.yml | tee -a found
grep -qE '^--strict -> 1, [1-9]' found
grep -q '^--quiet --strict -> 0, 0 lines' found
grep -qE '^--quiet --strict --config-file gone.yml -> [12], ' found
# Output:
#   --strict -> 1, 4 lines
#   --quiet --strict -> 0, 0 lines
#   --quiet --strict --config-file gone.yml -> 2, 3 lines
