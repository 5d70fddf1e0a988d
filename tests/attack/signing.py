"""Signs webhooks as their sender would, so that the attack gets past the signature. What Schemathesis made wrong on
purpose in a header stays wrong."""

import base64
import hashlib
import hmac
import os
import time

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.operation.path != "/api/v1/webhooks/{source}":
        return
    spoilt = case.meta is not None and case.meta.is_negative_at(ParameterLocation.HEADER)
    if not spoilt and case.path_parameters.get("source") == "flow":
        kwargs["auth"] = Signature()


class Signature(requests.auth.AuthBase):
    """Standard Webhooks: HMAC-SHA-256 over id, moment and the very bytes of the body."""

    def __call__(self, request):
        key = base64.b64decode(os.environ["CPQ_WEBHOOK_SECRET"].removeprefix("whsec_"))
        delivery, moment = request.headers.get("webhook-id", ""), str(int(time.time()))
        if isinstance(delivery, bytes):
            delivery = delivery.decode("latin-1")
        body = request.body or b""
        body = body if isinstance(body, bytes) else body.encode()
        signed = f"{delivery}.{moment}.".encode("latin-1") + body
        signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        request.headers["webhook-timestamp"] = moment
        request.headers["webhook-signature"] = f"v1,{signature}"
        return request
