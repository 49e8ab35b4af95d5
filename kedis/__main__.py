"""``python -m kedis`` is ``kedis-server``."""

from kedis.cli.server import main

if __name__ == "__main__":
    raise SystemExit(main())
