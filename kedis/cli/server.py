"""``kedis-server``: from the command line to a running server, and from a signal to an orderly end."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import gevent

from kedis import native
from kedis.cli import standard_streams
from kedis.config import SETTINGS, Config, ConfigError, describe_settings
from kedis.config.declare import Setting
from kedis.process.process_list import hide_arguments
from kedis.router.router_app import RouterApp
from kedis.server.app import PATIENT, App
from kedis.server.daemon import DEFAULT_PID_FILE, Background, PidFile, stop_for_upstart, supervisor
from kedis.server.log_handlers import LogFile, LogStream, SystemLog
from kedis.server.service_manager import MoreTime, notify
from kedis.server.start_error import StartError
from kedis.version import REDIS_VERSION, VERSION

log = logging.getLogger("kedis")

HELP = """\
kedis-server {version}: a Redis-compatible in-memory data store (speaks Redis {redis}).

usage: kedis-server [FILE | -] [--SETTING VALUE ...] ...
       kedis-server --help | --version | --help-settings

  FILE         a configuration file in redis.conf syntax; - reads it from standard input
  --SETTING    any setting, as in the file; flags win over the file

examples:
  kedis-server                                  127.0.0.1:6379, data kept in ./kedis-data
  kedis-server --appendonly no --save ""        nothing written to disk
  kedis-server kedis.conf --loglevel verbose    a file, and one setting changed
  kedis-server --maxmemory 100mb --maxmemory-policy allkeys-lru

the settings most often changed:
  --port 6379                 TCP port; 0 takes a free one
  --bind 127.0.0.1            addresses to listen on
  --requirepass SECRET        clients must AUTH first
  --dir kedis-data            folder for the append-only file
  --appendonly yes            keep the data on disk
  --appendfsync everysec      always | everysec | no: when written data is synced
  --maxmemory 0               limit such as 100mb; 0 is none
  --maxmemory-policy noeviction
  --metrics-port 9121         Prometheus metrics; without the flag the next free one where it is taken; or: no
  --upstream redis://HOST:PORT,HOST:PORT   no data of its own: those of a cluster, a server, a Sentinel group
  --daemonize no              yes: run in the background; --logfile FILE and --pidfile FILE go with it

--help-settings prints every setting with its default. Stop with Ctrl-C or SIGTERM; a second Ctrl-C stops at once.
talk to it:  redis-cli -p 6379 ping      printf 'SET user me\\r\\nGET user\\r\\n' | nc 127.0.0.1 6379
"""

#: Allocations before a young collection, young before middle, middle before full.  A middle one traverses
#: 24,000 objects: 6 ms (with 20 young ones before each, of 10,000: 44 ms).
_COLLECTOR_THRESHOLDS = (4_000, 5, 10_000)

_LEVELS = {
    "debug": logging.DEBUG,
    "verbose": logging.DEBUG,
    "notice": logging.INFO,
    "warning": logging.WARNING,
}

#: The switch interval of the interpreter, in seconds.  With Python's 5 ms the sync thread gets the interpreter late, at
#: some system call of the loop (appendfsync always, 50 clients: 8 % fewer requests).
_SWITCH_SECONDS = 50e-6


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    standard_streams.open_standard_streams()
    if native.LOOP:
        from kedis.native.pools import watch

        watch()  # in a process that is the server's own, from the beginning
    if words and words[0] in _PAGES:
        return standard_streams.run("kedis-server", partial(_print_page, words[0]))
    try:
        config = Config.from_command_line(words)
        hide_arguments(config.secret_flags)
        if config.umask:
            os.umask(config.umask)
        _set_up_logging(config)
        return _launch(config)
    except (ConfigError, StartError) as error:
        if _keeps_its_log():
            log.critical("%s", error)
        print(f"kedis-server: {error}", file=sys.stderr)
        return 1
    except Exception:
        if _keeps_its_log():
            log.critical("internal error", exc_info=True)
        raise


_PAGES = ("-h", "--help", "-v", "--version", "--help-settings")


def _print_page(flag: str) -> int:
    if flag == "--help-settings":
        sys.stdout.write(describe_settings())
    elif flag in ("-h", "--help"):
        sys.stdout.write(HELP.format(version=VERSION, redis=REDIS_VERSION))
    else:
        print(f"kedis-server {VERSION} (Redis {REDIS_VERSION})")
    return 0


def _set_up_logging(config: Config) -> None:
    """Log to standard output, or to ``logfile``, which is reopened after it was renamed; and where asked to syslog."""
    handlers: list[logging.Handler] = []
    if config.syslog_enabled:
        handlers.append(SystemLog(config.syslog_ident, config.syslog_facility))
    try:
        handlers.append(LogFile(config.logfile) if config.logfile else LogStream(sys.stdout))
    except OSError as error:
        raise StartError(f"cannot write the log file {config.logfile}: {error.strerror}") from None
    logging.basicConfig(level=_LEVELS[config.loglevel], handlers=handlers, force=True)
    config.subscribe("loglevel", lambda changed: logging.getLogger().setLevel(_LEVELS[changed.loglevel]))


def _keeps_its_log() -> bool:
    """Whether the log is kept; the reason of a failed start goes to standard error in any case."""
    return any(isinstance(handler, (LogFile, SystemLog)) for handler in logging.getLogger().handlers)


def _launch(config: Config) -> int:
    """Serve in this process, or with ``daemonize`` in a background one, unless a supervisor is used."""
    config.supervisor = supervisor(config.supervised)
    if config.supervisor == "upstart":
        stop_for_upstart()
    if not config.daemonize or config.supervisor != "no":
        return _serve(config)
    background = Background()
    if not background.is_child:
        return background.wait()
    config.pidfile = config.pidfile or DEFAULT_PID_FILE
    return _serve(config, background)


def _serve(config: Config, background: Background | None = None) -> int:
    sys.setswitchinterval(_SWITCH_SECONDS)
    log.info(
        "kedis %s (%s), compatible with Redis %s, pid %d",
        VERSION,
        native.describe(),
        REDIS_VERSION,
        os.getpid(),
    )
    _name_what_has_no_effect(config)
    if config.keeps_nothing() and not config.upstream:
        log.warning(
            "no data will be kept: appendonly is no and there are no save points. "
            "Either of --appendonly yes and --save '3600 1' keeps them over a restart"
        )
    app = RouterApp(config) if config.upstream else App(config)
    pid_file = PidFile(config.pidfile) if config.pidfile else None

    def on_listening() -> None:
        if pid_file is not None:
            pid_file.write()
        if background is not None:
            background.complete()

    app.on_listening = on_listening
    watchers = _handle_signals(app)
    try:
        app.ended.rawlink(lambda _: _notify(config, "STOPPING=1"))
        with MoreTime(partial(_notify, config)):
            app.start()
        _tune_gc()
        _notify(config, "READY=1", f"STATUS=serving on {app.network.shown_ports}")
        return app.run_until_stopped()
    finally:
        for watcher in watchers:
            watcher.stop()
        if pid_file is not None:
            pid_file.remove()
        log.info("Kedis is now ready to exit, bye bye...")


def _name_what_has_no_effect(config: Config) -> None:
    """Log the settings without effect that have another value than Redis's default, now and when they are changed."""
    for given, reason in config.ignored():
        log.warning("%s has no effect: %s", given, reason)

    def changed(setting: Setting, config: Config) -> None:
        log.warning("%s was changed, which has no effect: %s", setting.name, setting.otherwise)

    for setting in SETTINGS:
        if not setting.effective and not setting.fixed:
            config.subscribe(setting.name, partial(changed, setting))


def _notify(config: Config, *lines: str) -> None:
    if config.supervisor == "systemd":
        notify(*lines)


def _tune_gc() -> None:
    """Keep the cyclic collector from traversing all data repeatedly.

    Loaded objects are frozen.  The data has no cycles, so old generations are collected rarely: with the defaults a
    million lists cost pauses of 71 ms.  This is the process's own server; one in a thread of
    another program leaves that program's collector alone.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTOR_THRESHOLDS)


def _handle_signals(app: App) -> list[Any]:
    """The first SIGTERM or SIGINT shuts the server down in order; a SIGINT after it does at once, as in Redis.

    If the configured save fails the server goes on, as Redis does, and the next one is the first again. While the first
    append-only file is being written, the end waits for that, where Redis goes on.
    SIGHUP, SIGALRM and SIGPIPE are ignored, as in Redis.
    """
    loop = gevent.get_hub().loop
    received: list[int] = []
    app.on_going_on = received.clear

    def on_signal(number: int) -> None:
        if received:
            if number == signal.SIGINT:
                log.warning("You insist... exiting now.")
                os._exit(1)
            return
        if app.engine.debug.pauses_cron:  # which signals wait for in Redis
            app.put_off = lambda: on_signal(number)
            return
        config = app.config
        options = config.shutdown_on_sigterm if number == signal.SIGTERM else config.shutdown_on_sigint
        log.info("%s received, shutting down", signal.Signals(number).name)
        if app.save_and_stop(frozenset([*options, PATIENT])):
            received.append(number)
        else:
            log.error("Errors trying to shut down: the data could not be saved, so the server goes on")

    watchers = []
    for number in (signal.SIGTERM, signal.SIGINT):
        watcher = loop.signal(number)
        watcher.start(on_signal, number)
        watchers.append(watcher)
    for number in (signal.SIGHUP, signal.SIGALRM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    return watchers
