"""Parsing of arguments: numbers, options, cursors, sample counts, and the notation of the syntax."""
