"""The software bill of materials of the server's image, from what it is locked to: CycloneDX 1.5 in JSON.

``python -m ops.sbom FILE`` writes it, ``python -m ops.sbom`` prints it.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

from packaging.markers import Marker

ROOT = Path(__file__).parent.parent
LOCKED = ROOT / "ops" / "container" / "locked-kedis.txt"
#: Where the list is installed: Linux, and the Python of ops/Dockerfile.
_IMAGE = {
    "implementation_name": "cpython",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "python_full_version": "3.11.13",
    "python_version": "3.11",
    "sys_platform": "linux",
}
_LINE = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)((?: ;[^\\]*)?)", re.MULTILINE)


def locked(path: Path) -> list[tuple[str, str, list[str]]]:
    """Name, version and SHA-256 digests of each package of a locked list that is for the image."""
    text = path.read_text()
    found = list(_LINE.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [
        (match[1], match[2], re.findall(r"--hash=sha256:([0-9a-f]{64})", text[match.end() : end]))
        for match, end in zip(found, ends, strict=True)
        if not match[3] or Marker(match[3].strip(" ;")).evaluate(_IMAGE)
    ]


def bill(path: Path = LOCKED) -> dict[str, Any]:
    """The whole document. The same packages give the same one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages = locked(path)
    root = f"pkg:pypi/kedis@{project['version']}"
    references = {name: f"pkg:pypi/{_normal(name)}@{version}" for name, version, _ in packages}
    serial = uuid.uuid5(uuid.NAMESPACE_URL, root + path.read_text())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "kedis",
                "version": project["version"],
                "purl": root,
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": references[name],
                "name": name,
                "version": version,
                "purl": references[name],
                # One for each file of the release: which of them is installed, the machine decides.
                "externalReferences": [
                    {
                        "type": "distribution",
                        "url": f"https://pypi.org/project/{_normal(name)}/{version}/",
                        "hashes": [{"alg": "SHA-256", "content": digest} for digest in digests],
                    }
                ],
            }
            for name, version, digests in packages
        ],
        "dependencies": [{"ref": root, "dependsOn": sorted(references.values())}],
    }


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    text = json.dumps(bill(), indent=2) + "\n"
    if sys.argv[1:]:
        path = Path(sys.argv[1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
