"""kedis-cli: the command line client, interactive and not.

`link` is the seam: everything that shows something to a person talks to a Link, and whether a server or an
engine in this process answers is the Link's own matter.
"""
