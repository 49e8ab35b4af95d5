"""When certificates end: the one field of them that the server itself has to know.

Python's ssl shows the fields of a peer's certificate, not those of the own one. So the few steps to the field are taken
here, through DER: a value is a tag, a length and that many bytes.
"""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime

_PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION, _SHORT_TIME = 0xA0, 0x17


def earliest_end(path: str) -> int:
    """The second, since 1970, at which the first of a file's certificates ends. Raises OSError or ValueError."""
    with open(path, encoding="ascii", errors="replace") as file:
        found = _PEM.findall(file.read())
    if not found:
        raise ValueError(f"no certificate in {path}")
    return min(end_of(ssl.PEM_cert_to_DER_cert(each)) for each in found)


def end_of(der: bytes) -> int:
    """The second, since 1970, at which a certificate ends. Raises ValueError."""
    _, certificate, _ = _value(der)
    _, signed, _ = _value(certificate)
    tag, _, rest = _value(signed)
    if tag == _VERSION:  # absent in the first version
        _, _, rest = _value(rest)
    _, _, rest = _value(rest)  # the algorithm of the signature, after the serial number
    _, _, rest = _value(rest)  # the issuer
    _, validity, _ = _value(rest)
    _, _, rest = _value(validity)
    tag, moment, _ = _value(rest)
    text = moment.decode("ascii")
    if tag == _SHORT_TIME:  # a year of two digits: until 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    return int(datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp())


def _value(data: bytes) -> tuple[int, bytes, bytes]:
    """The first value of ``data``: its tag, its bytes, and what follows. Raises ValueError."""
    if len(data) < 2:
        raise ValueError("a certificate is cut off")
    tag, length, start = data[0], data[1], 2
    if length >= 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        raise ValueError("a certificate is cut off")
    return tag, data[start : start + length], data[start + length :]
