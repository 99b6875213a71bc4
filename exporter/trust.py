"""
Who we are to a server of somebody's own, and whom we trust to be it: from the configuration and the files it names.

A secret is in what `authorization` returns and nowhere else. When to read, and again, is for the callers.
"""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

from exporter.config.delivery import Auth, Tls


def authorization(auth: Auth | None) -> str | None:
    """
    The value of the header ``Authorization``, None for none. Reads files.

    Raises:
        OSError: where a file cannot be read.
        ValueError: where it holds nothing that can be a secret.
    """
    if auth is None:
        return None
    if auth.basic is not None:
        hidden = auth.basic.password
        password = hidden.reveal() if hidden is not None else _secret(Path(str(auth.basic.password_file)))
        pair = f"{auth.basic.username}:{password}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"
    token = auth.bearer_token.reveal() if auth.bearer_token is not None else _secret(Path(str(auth.bearer_token_file)))
    if any(not "!" <= each <= "~" for each in token):
        raise ValueError("what it holds is no token")
    return f"Bearer {token}"


def _secret(path: Path) -> str:
    try:
        text = path.read_bytes().decode().strip()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    if not text:
        raise ValueError("it is empty")
    return text


def context(tls: Tls) -> ssl.SSLContext:
    """
    A client's context. Reads files.

    Raises:
        OSError: where a file cannot be read, or (ssl.SSLError) holds no certificate or not the key to it.
        ValueError: likewise.
    """
    made = ssl.create_default_context(cafile=None if tls.ca_file is None else str(tls.ca_file))
    if tls.ca_file is not None:
        # Python 3.13 checks the form of certificates by RFC 5280, which those of a company's own authority often miss.
        # Chain, name and dates are verified as before.
        made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if tls.insecure_skip_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if tls.cert_file is not None:
        # Without a password OpenSSL would ask for one on the terminal.
        made.load_cert_chain(str(tls.cert_file), str(tls.key_file), password=lambda: "")
    return made


def why(error: Exception) -> str:
    """Why a file of these could not be used."""
    if isinstance(error, ssl.SSLError):
        return f"no certificate, or not the key to it ({error.reason or type(error).__name__})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
