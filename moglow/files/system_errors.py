"""Reasons of system errors, with what to do about them."""

import errno
from collections.abc import Mapping

ADVICE: Mapping[int, str] = {
    errno.ENOENT: "check the path, whose folder must exist",
    errno.ENOTDIR: "a part of the path is a file; give another path",
    errno.EEXIST: "something of this name is in the way; give another name",
    errno.EACCES: "change the permissions, or give another path",
    errno.EPERM: "change the permissions, or give another path",
    errno.EROFS: "give a path on another disk",
    errno.ENOSPC: "free some space, or give a path on another disk",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "a link leads back to itself; give another path",
}
"""What to do about a system error on a path, by its number."""


def reason(error: OSError | UnicodeError) -> str:
    """Returns the text of a system error; a name of a host that cannot be encoded is a UnicodeError.

    >>> reason(OSError(errno.EIO, "Input/output error"))
    'Input/output error'
    """
    return getattr(error, "strerror", None) or str(error)


def advice(error: OSError) -> str:
    """Returns what to do about a system error on a path.

    >>> advice(OSError(errno.ENAMETOOLONG, "File name too long"))
    'give a shorter name'
    """
    return ADVICE.get(error.errno or 0, "check the path")
