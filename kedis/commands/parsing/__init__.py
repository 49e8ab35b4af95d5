"""From the words of a request to values: numbers, options, cursors, samples, and the notation of the syntax."""
