"""The engine in the program's own process: no socket, no thread, no start-up; its clients drive it."""
