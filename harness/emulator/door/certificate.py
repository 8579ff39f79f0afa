"""A certificate for a server on this machine, right or wrong in a stated way, and the authority that signed it."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harness.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def certified(host: str, folder: Path, *, wrong: str | None) -> tuple[ssl.SSLContext, Path]:
    """Return a TLS context for a server at `host`, and the file in `folder` that names the authority to trust.

    `wrong`: `other-host`, `expired` or `untrusted`; None: nothing is. InputError without trustme.
    """
    try:
        import trustme
    except ImportError as error:
        raise InputError(
            "--tls needs trustme", hint="pip install 'live-harness[emulator]'"
        ) from error

    authority = trustme.CA(organization_name="live-harness emulator")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    names = dict.fromkeys((host, "127.0.0.1", "::1", "localhost"))
    if wrong == "other-host":
        names = dict.fromkeys(("elsewhere.invalid",))
    expires = datetime(2001, 1, 1, tzinfo=UTC) if wrong == "expired" else None
    authority.issue_cert(*names, not_after=expires).configure_cert(context)
    if wrong == "untrusted":
        authority = trustme.CA(organization_name="somebody else")
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return context, ca_file
