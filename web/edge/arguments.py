"""What a request names in its path or says in its body, or the refusal that names the fault.

Owns these steps for endpoints with one small body. Must not know an endpoint. Messages are decoded
elsewhere, where speed counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import UNSET

from messages.body_faults import UNDECODABLE, Faults, Mended, mended, repeated
from messages.models import FieldError
from ratelimit.spec import RateSpec, RateSpecError, parse_rate
from storage.ids import parse_id
from web.edge.problems import ProblemError

OBJECT_BYTES_MAX = 256 << 10  # read anew for what its decoder does not tell: some ms
Asked = TypeVar("Asked", bound=msgspec.Struct)


def path_id(request: web.Request, prefix: str, what: str) -> int:
    """The `{id}` of the path. Raises ProblemError 404: what is no id names nothing."""
    try:
        return parse_id(prefix, request.match_info["id"])
    except ValueError:
        raise not_found(what) from None


def not_found(what: str) -> ProblemError:
    """404. Also for what belongs to another account."""
    return ProblemError("not_found", f"this account has no {what} with this id")


def refusal(faults: FieldError | Sequence[FieldError]) -> ProblemError:
    """The problem that these faults make. The first one names it."""
    faults = (faults,) if isinstance(faults, FieldError) else tuple(faults)
    return ProblemError(faults[0].code, faults[0].detail, faults)


def read_body(
    kind: type[Asked],
    decoder: msgspec.json.Decoder[Asked],
    raw: bytes | msgspec.Raw,
    bytes_max: int | None = OBJECT_BYTES_MAX,
) -> Mended[Asked]:
    """The body, or what is right of it with everything that is wrong.

    `bytes_max` None: of a body whose lists are bounded by its type, which may be long all the same.
    """
    if bytes_max is not None and memoryview(raw).nbytes > bytes_max:
        detail = f"one object has at most {bytes_max} octets"
        return Mended(None, Faults([FieldError("body_too_large", detail, "")]))
    try:
        asked = decoder.decode(raw)
    except UNDECODABLE:
        return mended(raw, kind)
    return Mended(asked, repeated(raw))


def decoded(
    kind: type[Asked],
    decoder: msgspec.json.Decoder[Asked],
    raw: bytes,
    bytes_max: int | None = OBJECT_BYTES_MAX,
) -> Asked:
    """The body. Raises ProblemError 400, 413 or 422 with all of its faults."""
    return _right(read_body(kind, decoder, raw, bytes_max))


def given(asked: msgspec.Struct) -> dict[str, Any]:
    """The fields of a change that the request names."""
    named = msgspec.structs.asdict(asked).items()
    return {name: value for name, value in named if value is not UNSET}


def decoded_with_rate(
    kind: type[Asked], decoder: msgspec.json.Decoder[Asked], raw: bytes
) -> tuple[Asked, RateSpec | None]:
    """The body, and the rate in its field `rate` (such as 50/s). Raises as decoded() does."""
    found = read_body(kind, decoder, raw)
    rate = None
    text = getattr(found.body, "rate", None)
    if isinstance(text, str):
        try:
            rate = parse_rate(text)
        except RateSpecError as error:
            found.faults.append(FieldError("rate_invalid", str(error), "/rate"))
    return _right(found), rate


def _right(found: Mended[Asked]) -> Asked:
    if found.faults or found.body is None:
        raise refusal(found.faults)
    return found.body
