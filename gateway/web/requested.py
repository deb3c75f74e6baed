"""What a request names in its path or says in its body, or the refusal that names the fault.

Owns these steps for endpoints with one small body; messages are decoded where their speed is
measured. Must not know an endpoint.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from aiohttp import web

from gateway.accept.models import FieldError
from gateway.accept.validation import undecodable
from gateway.web.problems import ProblemError
from ratelimit.spec import RateSpec, RateSpecError, parse_rate
from storage.ids import parse_id

Asked = TypeVar("Asked", bound=msgspec.Struct)


def path_id(request: web.Request, prefix: str, what: str) -> int:
    """The `{id}` of the path. Raises ProblemError 404: what is no id names nothing."""
    try:
        return parse_id(prefix, request.match_info["id"])
    except ValueError:
        raise not_found(what) from None


def not_found(what: str) -> ProblemError:
    """404, also for what belongs to another account."""
    return ProblemError("not_found", f"this account has no {what} with this id")


def refusal(fault: FieldError) -> ProblemError:
    """The problem that one field makes."""
    return ProblemError(fault.code, fault.detail, (fault,))


def decoded(kind: type[Asked], decoder: msgspec.json.Decoder[Asked], body: bytes) -> Asked:
    """The body as this Struct. Raises ProblemError 400 or 422."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusal(undecodable(error, kind.__struct_encode_fields__)) from None


def rate_of(text: str) -> RateSpec:
    """A rate such as 50/s in the field `rate`. Raises ProblemError 422."""
    try:
        return parse_rate(text)
    except RateSpecError as error:
        raise refusal(FieldError("rate_invalid", str(error), "/rate")) from None
