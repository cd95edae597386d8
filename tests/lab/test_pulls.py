"""A lab reaches registries by its proxy alone: that runs in the host's network, and listens in the lab's."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.real

# Two networks, one in the other's place: the host's has a server at 192.0.2.1 (RFC 5737), the lab's has no route there.
_STORY = """
import http.server, os, socket, subprocess, urllib.request
from homeostat.kit import kernel
from homeostat.lab.links import registry_way
from tests.support.patience import eventually

def address(text):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", text, "dev", "lo"], check=True)

class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from the host's network")

address("192.0.2.1/32")
server = http.server.HTTPServer(("192.0.2.1", 8000), Hello)
if not os.fork():
    server.serve_forever()
channel = registry_way.fork([server.fileno()])
kernel.unshare(kernel.NEWNET)
address("172.31.99.1/24")
url = registry_way.listen(channel, "172.31.99.1")
try:
    urllib.request.urlopen("http://192.0.2.1:8000/", timeout=5)
    raise SystemExit("the lab has a way out of its own")
except OSError:
    pass
through = urllib.request.build_opener(urllib.request.ProxyHandler({"http": url}))
print(through.open("http://192.0.2.1:8000/", timeout=5).read().decode())
channel.close()

def gone():
    with socket.socket() as client:
        return client.connect_ex(("172.31.99.1", registry_way.PORT)) != 0

eventually(gone, seconds=10)
print("the proxy ended with its maker")
"""


@pytest.mark.parametrize("user", [[], ["--map-root-user"]], ids=["root", "user-namespace"])
def test_the_proxy_leads_out_of_a_network_that_has_no_way_out(user: list[str]) -> None:
    # The process namespace ends what the story leaves running.
    enter = ["unshare", *user, "--net", "--pid", "--fork", "--kill-child"]
    ended = subprocess.run([*enter, sys.executable, "-c", _STORY], capture_output=True, text=True, timeout=60)
    assert ended.stdout.splitlines() == ["from the host's network", "the proxy ended with its maker"], ended.stderr
