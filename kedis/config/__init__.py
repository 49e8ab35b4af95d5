"""Configuration: every setting once, and all that reads or writes it.

Bottom-up: syntax (words and quotes), setting_types and list_types (types of values), declare (how a setting is
declared), settings_table and ignored (the settings), load (files and flags), settings (``Config``, the current
values), file_rewrite (CONFIG REWRITE), describe (help and docs).
"""

from kedis.config.config_errors import ConfigError, SettingRefused
from kedis.config.describe import describe_settings, settings_markdown
from kedis.config.file_rewrite import NO_FILE, render_rewrite, rewrite_file
from kedis.config.setting_types import parse_size
from kedis.config.settings import SECRET_SETTINGS, SETTINGS, SETTINGS_BY_NAME, Config

__all__ = [
    "NO_FILE",
    "SECRET_SETTINGS",
    "SETTINGS",
    "SETTINGS_BY_NAME",
    "Config",
    "ConfigError",
    "SettingRefused",
    "describe_settings",
    "parse_size",
    "render_rewrite",
    "rewrite_file",
    "settings_markdown",
]
