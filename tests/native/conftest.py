"""The native path cannot be loaded beside the structures in Python: under KEDIS_PURE its tests are not collected."""

from __future__ import annotations

from kedis import native

collect_ignore = (
    []
    if native.PATH == "native"
    else [
        "test_both_paths.py",
        "test_calls.py",
        "test_container_forms.py",
        "test_loop.py",
        "test_one_key_object.py",
        "test_path.py",
        "test_permissions.py",
        "test_recovery.py",
        "test_servers.py",
        "test_without_loop.py",
    ]
)
