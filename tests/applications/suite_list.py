"""The programs whose test suites are run (:mod:`tests.applications.suites`), and what may fail, with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Suite:
    """The test suite of one program.

    Args:
        name: what it is called here.
        version: of the package, whose tests are in its source distribution.
        needs: what its environment has beside it, pinned.
        words: those of pytest: which tests.
        package: on PyPI, where the name is another.
        folder: where in the source distribution it is run.
        environment: variables.
        reasons: patterns of tests that may fail on Kedis, with the reason.
    """

    name: str
    version: str
    needs: tuple[str, ...]
    words: tuple[str, ...]
    package: str = ""
    folder: str = "."
    extras: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "package", self.package or self.name)

    @property
    def requirements(self) -> tuple[str, ...]:
        """What is installed."""
        return (f"{self.package}{self.extras}=={self.version}", "pytest-timeout==2.4.0", *self.needs)

    def reason_of(self, test: str) -> str | None:
        """Why a test may fail; None where nothing is said."""
        return next((reason for pattern, reason in self.reasons.items() if fnmatchcase(test, pattern)), None)


SUITES = (
    Suite(
        "limits",
        "5.8.0",
        (
            *("pytest==8.4.2", "redis==6.4.0", "hiro==1.1.1", "pytest-asyncio==1.2.0"),
            *(
                "valkey==6.1.1",
                "pymongo==4.15.5",
                "pymemcache==4.0.0",
                "coredis==5.2.0",
                "memcachio==0.3",
                "motor==3.7.1",
                "pytest-lazy-fixtures==1.4.0",
                "pytest-cov==7.0.0",
                "pytest-benchmark==5.2.3",
                "pytest-mock==3.15.1",
            ),
        ),
        (
            "-p",
            "docker_stand_in",
            "-m",
            "redis and not redis_sentinel and not redis_cluster and not benchmark",
            "--timeout",
            "300",
            "-o",
            "addopts=",
            "-o",
            "filterwarnings=default",
        ),
    ),
    Suite(
        "python-redis-lock",
        "4.0.1",
        (
            "pytest==8.4.2",
            "redis==5.2.1",
            "process-tests==3.0.0",
            "gevent==26.9.0",
            "eventlet==0.41.3",
            "django==5.2.9",
            "django-redis==6.0.0",
            "pytest-django==4.11.1",
        ),
        (
            *("-p", "patient_processes", "-o", "addopts=", "--timeout", "300"),
            *("--ignore", "tests/test_django_integration.py", "tests"),
        ),
    ),
    Suite(
        "pottery",
        "3.0.1",
        ("pytest==8.4.2", "redis==5.2.1", "pytest-asyncio==0.21.2", "uvloop==0.22.1"),
        (
            "-p",
            "pottery_fixtures",
            "--timeout",
            "120",
            "--asyncio-mode=auto",
            "--ignore=tests/test_doctests.py",
            "tests",
        ),
    ),
    Suite(
        "cachelib",
        "0.17.0",
        ("pytest==8.4.2", "redis==6.4.0", "valkey==6.1.1", "pytest-xprocess==1.0.2"),
        ("--timeout", "120", "tests/test_redis_cache.py"),
    ),
    Suite(
        "redbeat",
        "2.3.3",
        ("pytest==8.4.2", "redis==5.2.1", "pytz==2025.2", "celery==5.5.3"),
        ("-p", "fakeredis_stand_in", "--timeout", "120", "tests"),
        package="celery-redbeat",
    ),
    Suite(
        "arq",
        "0.28.0",
        (
            "pytest==8.4.2",
            "redis==4.6.0",
            "pytest-asyncio==0.23.6",
            "dirty-equals==0.11",
            "pytest-mock==3.15.1",
            "msgpack==1.1.2",
            "pydantic==2.12.5",
        ),
        ("--timeout", "120", "tests"),
    ),
    Suite(
        "dogpile",
        "1.5.0",
        ("pytest==8.4.2", "redis==6.4.0", "mako==1.3.10", "valkey==6.1.1"),
        ("--timeout", "120", "tests/cache/test_redis_backend.py"),
        package="dogpile.cache",
    ),
    Suite(
        "rq",
        "3.0.0",
        ("pytest==8.4.2", "redis==6.4.0", "psutil==7.1.3", "click==8.3.1"),
        ("--timeout", "180", "tests"),
    ),
    Suite(
        "huey",
        "3.5.4",
        ("pytest==8.4.2", "redis==6.4.0"),
        (
            "--timeout",
            "120",
            "huey/tests/test_storage.py",
            "huey/tests/test_api.py",
            "huey/tests/test_wrappers.py",
            "huey/tests/test_consumer.py",
            "huey/tests/test_priority.py",
            "huey/tests/test_asyncio.py",
        ),
    ),
    Suite(
        "django-redis",
        "7.0.0",
        (
            "pytest==8.4.2",
            "redis==6.4.0",
            "django==5.2.9",
            "pytest-django==4.11.1",
            "pytest-mock==3.15.1",
            "pytest-xdist==3.8.0",
            "hiredis==3.3.0",
        ),
        # One of its twelve settings: a process reads one.
        ("-o", "addopts=", "--ds=settings.sqlite", "--timeout", "120", "-k", "not sqlite_", "."),
        extras="[lz4,msgpack,pyzstd]",
        folder="tests",
        environment={"DJANGO_SETTINGS_MODULE": "settings.sqlite"},
    ),
    Suite(
        "channels_redis",
        "4.3.0",
        ("pytest==8.4.2", "pytest-asyncio==1.2.0", "async-timeout==5.0.1", "cryptography==46.0.3"),
        ("--timeout", "120", "tests/test_core.py", "tests/test_pubsub.py"),
    ),
    Suite(
        "kombu",
        "5.7.0",
        ("pytest==8.4.2", "redis==6.4.0"),
        (
            "-p",
            "no:cacheprovider",
            "--timeout",
            "300",
            "t/integration/test_redis.py",
            "t/integration/test_redis_brpop_qos.py",
        ),
    ),
    Suite(
        "celery",
        "5.7.0",
        (
            "pytest==8.4.2",
            "redis==6.4.0",
            "pytest-celery==1.2.1",
            "pytest-subtests==0.15.0",
            "pydantic==2.12.5",
        ),
        (
            "--timeout",
            "300",
            "t/integration/test_tasks.py",
            "t/integration/test_canvas.py",
            "t/integration/test_inspect.py",
            "t/integration/test_redis_backend.py",
        ),
        environment={"TEST_BROKER": "redis://", "TEST_BACKEND": "redis://"},
    ),
)
