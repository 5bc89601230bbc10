"""A whole OpenStack Swift with its S3 API in one process, run by the Python of `.venv/swift`.

    swift_process.py ACCESS_KEY SECRET_KEY LEAST_PART_BYTES

Its four servers (account, container, object, proxy) listen on ports that the system picks and share
one loop of green threads, so there is one process to start and one to end, by root or anybody else.
It prints the port of the S3 API once that is open. It ends, and takes its folder with it, when its
standard input does: that is also when whoever holds the other end of it was killed.
"""
# pyright: reportMissingImports=false, reportUnknownMemberType=false

import os
import sys
import tempfile
import warnings
from pathlib import Path

warnings.simplefilter("ignore")  # eventlet says at length that it is old

import eventlet  # noqa: E402
from eventlet import wsgi  # noqa: E402
from swift.common import utils  # noqa: E402

utils.monkey_patch()

from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import ConfigString, SwiftHttpProtocol, loadapp  # noqa: E402

STORAGE = ("account", "container", "object")
NAMES = """
[swift-hash]
swift_hash_path_prefix = tests
swift_hash_path_suffix = tests
[storage-policy:0]
name = only
default = yes
"""
# A write waits for its place in the listing, so that what was put is listed at once.
STORAGE_SERVER = """
[DEFAULT]
swift_dir = {home}
devices = {home}/disks
mount_check = false
fallocate_reserve = 0
disable_fallocate = true
log_address = /dev/null
log_level = CRITICAL
container_update_timeout = 30
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
S3_SERVER = """
[DEFAULT]
swift_dir = {home}
log_address = /dev/null
log_level = CRITICAL
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats s3api tempauth bulk slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
min_segment_size = {least_part_bytes}
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {secret} .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
"""


def check_disk(home: Path) -> None:
    """Swift keeps what it knows of an object in extended attributes of its file."""
    try:
        os.setxattr(home, "user.swift", b"1")
    except OSError:
        sys.exit(f"{home} lies on a file system without extended attributes: set TMPDIR.")


def write_ring(home: Path, kind: str, port: int) -> None:
    """Where things of that kind are kept: one copy, one disk."""
    builder = RingBuilder(part_power=4, replicas=1, min_part_hours=0)
    place = {"ip": "127.0.0.1", "port": port, "device": "disk", "region": 1, "zone": 1}
    builder.add_dev({**place, "weight": 1.0, "meta": ""})
    builder.rebalance(seed=1)
    builder.get_ring().save(str(home / f"{kind}.ring.gz"))


class Cache:
    """What Swift asks memcached elsewhere; here all that changes things is one process."""

    def __init__(self) -> None:
        self.kept: dict[str, object] = {}

    def get(self, key: str, **_: object) -> object:
        return self.kept.get(key)

    def set(self, key: str, value: object, **_: object) -> None:
        self.kept[key] = value

    def delete(self, key: str, **_: object) -> None:
        self.kept.pop(key, None)


def serve(listener: object, config: str, cache: Cache) -> None:
    app = loadapp(ConfigString(config))
    wsgi.server(
        listener,
        lambda environ, start: app(environ | {"swift.cache": cache}, start),
        log=utils.NullLogger(),
        log_output=False,
        protocol=SwiftHttpProtocol,
        capitalize_response_headers=False,  # S3 clients want ETag, not Etag
    )


def run(home: Path, access_key: str, secret_key: str, least_part_bytes: str) -> None:
    check_disk(home)
    (home / "disks" / "disk").mkdir(parents=True)
    (home / "swift.conf").write_text(NAMES)
    utils.set_swift_dir(str(home))
    listeners = {kind: eventlet.listen(("127.0.0.1", 0)) for kind in STORAGE}
    for kind, listener in listeners.items():
        write_ring(home, kind, listener.getsockname()[1])
    cache = Cache()
    for kind, listener in listeners.items():
        eventlet.spawn(serve, listener, STORAGE_SERVER.format(home=home, kind=kind), cache)
    account, _, user = access_key.partition(":")
    config = S3_SERVER.format(
        home=home, account=account, user=user, secret=secret_key, least_part_bytes=least_part_bytes
    )
    front = eventlet.listen(("127.0.0.1", 0), backlog=256)
    eventlet.spawn(serve, front, config, cache)
    print(front.getsockname()[1], flush=True)  # noqa: T201 that is how it is told
    eventlet.tpool.execute(sys.stdin.buffer.read)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="swift-") as folder:
        run(Path(folder), *sys.argv[1:])
