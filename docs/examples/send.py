"""One message by Python's own library, and what became of it."""

import json
import os
import time
import urllib.request

URL = os.environ["SMSGATE_URL"]
HEADERS = {
    "Authorization": f"Bearer {os.environ['SMSGATE_API_KEY']}",
    "Content-Type": "application/json",
}


def ask(path: str, body: object = None) -> dict[str, object]:
    """POST a body, or GET without one. A refusal raises, with the problem in its body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, HEADERS)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, object] = json.load(response)
        return answer


sent = ask(
    "/v1/messages", {"to": "+8613812345678", "from": "SHOP", "text": "Your parcel is on its way"}
)
print(sent["id"], sent["status"])

while not (message := ask(f"/v1/messages/{sent['id']}"))["final"]:
    time.sleep(0.2)
print(message["status"])
