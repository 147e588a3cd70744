"""The few Kafka requests that the bench asks itself: make and delete topics, look at ends and at
committed positions, produce at a given moment. Over a socket, so that looking twenty times a second
costs nothing that shows, and a record leaves when it is told to.

For one broker, which then leads every partition and coordinates every group. The request layouts are
Kafka's own, in versions that need no tagged fields: https://kafka.apache.org/protocol
"""

import socket
import struct
import time

_PRODUCE, _LIST_OFFSETS, _METADATA, _OFFSET_FETCH, _CREATE_TOPICS, _DELETE_TOPICS = 0, 2, 3, 9, 19, 20
_LATEST = -1
_READ_UNCOMMITTED = 0
_ANSWER_TIMEOUT_S = 30
_CREATE_TIMEOUT_MS = 15_000
_DELETE_TIMEOUT_MS = 30_000
_PRODUCE_TIMEOUT_MS = 10_000
_RETRY_S = 0.05
_MAGIC = 2
_CRC32C_POLYNOMIAL = 0x82F63B78


def _string(text):
    raw = text.encode()
    return struct.pack(">h", len(raw)) + raw


def _array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


def _crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_CRC32C_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


_CRC32C = _crc32c_table()


def _crc32c(data):
    table, crc = _CRC32C, 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _varint(number):
    """Zigzag, as in records."""
    number = number << 1 ^ number >> 63
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def record_batch(values, time_ms):
    """Values without keys as one batch: https://kafka.apache.org/documentation/#recordbatch

    It can be made long before it is sent: the broker sets the offsets.
    """
    records = bytearray()
    for index, value in enumerate(values):
        record = b"\0\0" + _varint(index) + b"\x01" + _varint(len(value)) + value + b"\0"
        records += _varint(len(record)) + record
    last = len(values) - 1
    covered = (
        struct.pack(">hiqqqhii", 0, last, time_ms, time_ms, -1, -1, -1, len(values)) + records
    )
    checked = struct.pack(">ibI", -1, _MAGIC, _crc32c(covered)) + covered
    return struct.pack(">qi", 0, len(checked)) + checked


class _Answer:
    """Reads the fields of an answer in order."""

    def __init__(self, raw):
        self._raw, self._at = raw, 0

    def number(self, code):
        (number,) = struct.unpack_from(">" + code, self._raw, self._at)
        self._at += struct.calcsize(">" + code)
        return number

    def text(self):
        size = self.number("h")
        if size < 0:
            return None
        self._at += size
        return self._raw[self._at - size : self._at].decode()

    def items(self, read):
        return [read(self) for _ in range(self.number("i"))]


class KafkaError(RuntimeError):
    """The broker answered with an error code."""


class Broker:
    """One connection to the one broker at "host:port"."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout=_ANSWER_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._correlation = 0

    def close(self):
        self._socket.close()

    def _receive(self, size):
        parts = bytearray()
        while len(parts) < size:
            part = self._socket.recv(size - len(parts))
            if not part:
                raise ConnectionError("the broker closed the connection")
            parts += part
        return bytes(parts)

    def _ask(self, api, version, body):
        self._correlation += 1
        request = struct.pack(">hhi", api, version, self._correlation) + _string("bench") + body
        self._socket.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", self._receive(4))
        answer = _Answer(self._receive(size))
        if answer.number("i") != self._correlation:
            raise ConnectionError("an answer to another request")
        return answer

    def create_topic(self, name, partitions, **config):
        """create_topic("users", 4, cleanup_policy="compact"); returns when it can be used."""
        settings = [
            _string(key.replace("_", ".")) + _string(value) for key, value in config.items()
        ]
        topic = _string(name) + struct.pack(">ih", partitions, 1) + _array([]) + _array(settings)
        body = _array([topic]) + struct.pack(">i?", _CREATE_TIMEOUT_MS, False)
        answer = self._ask(_CREATE_TOPICS, 4, body)
        answer.number("i")  # throttle time
        for made, error, text in answer.items(lambda a: (a.text(), a.number("h"), a.text())):
            if error:
                raise KafkaError(f"making topic {made}: {text or error}")
        deadline = time.monotonic() + _CREATE_TIMEOUT_MS / 1000
        while True:
            try:
                self.ends(name, partitions)
                return
            except KafkaError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_S)

    def topics(self):
        """The names of all topics."""
        answer = self._ask(_METADATA, 1, struct.pack(">i", -1))
        answer.items(lambda a: (a.number("i"), a.text(), a.number("i"), a.text()))  # brokers
        answer.number("i")  # controller

        def read_partition(a):
            a.number("h"), a.number("i"), a.number("i")
            a.items(lambda b: b.number("i")), a.items(lambda b: b.number("i"))

        def read_topic(a):
            a.number("h")
            name = a.text()
            a.number("?")  # internal
            a.items(read_partition)
            return name

        return answer.items(read_topic)

    def delete_topics(self, names):
        """Returns when they are gone, so that others of their names can be made."""
        body = _array([_string(name) for name in names]) + struct.pack(">i", _DELETE_TIMEOUT_MS)
        answer = self._ask(_DELETE_TOPICS, 1, body)
        answer.number("i")  # throttle time
        for name, error in answer.items(lambda a: (a.text(), a.number("h"))):
            if error:
                raise KafkaError(f"deleting topic {name}: error {error}")
        deadline = time.monotonic() + _DELETE_TIMEOUT_MS / 1000
        while left := set(names) & set(self.topics()):
            if time.monotonic() > deadline:
                raise KafkaError(f"topics {sorted(left)} do not go")
            time.sleep(_RETRY_S)

    def produce(self, topic, partition, batch):
        """Sends a batch of record_batch() and waits for the answer (acks=all)."""
        sent = struct.pack(">ii", partition, len(batch)) + batch
        body = struct.pack(">hhi", -1, -1, _PRODUCE_TIMEOUT_MS)
        body += _array([_string(topic) + _array([sent])])
        answer = self._ask(_PRODUCE, 3, body)

        def read_partition(a):
            partition, error, offset, _ = (a.number(code) for code in "ihqq")
            if error:
                raise KafkaError(f"producing to {topic}-{partition}: error {error}")
            return offset

        ((_, (offset,)),) = answer.items(lambda a: (a.text(), a.items(read_partition)))
        return offset

    def ends(self, topic, partitions):
        """The end of each partition, records of open transactions included."""
        asked = _array([struct.pack(">iq", p, _LATEST) for p in range(partitions)])
        body = struct.pack(">ib", -1, _READ_UNCOMMITTED) + _array([_string(topic) + asked])
        answer = self._ask(_LIST_OFFSETS, 2, body)
        answer.number("i")  # throttle time

        def read_partition(a):
            partition, error, _, offset = (a.number(code) for code in "ihqq")
            if error:
                raise KafkaError(f"the end of {topic}-{partition}: error {error}")
            return partition, offset

        ((_, read),) = answer.items(lambda a: (a.text(), a.items(read_partition)))
        return [offset for _, offset in sorted(read)]

    def committed(self, group, topic, partitions):
        """The group's committed position in each partition; 0 where it has none."""
        asked = _array([struct.pack(">i", p) for p in range(partitions)])
        body = _string(group) + _array([_string(topic) + asked])
        answer = self._ask(_OFFSET_FETCH, 2, body)

        def read_partition(a):
            partition, offset = a.number("i"), a.number("q")
            a.text()  # metadata
            return partition, 0 if a.number("h") else max(0, offset)

        topics = answer.items(lambda a: (a.text(), a.items(read_partition)))
        # An error of the whole (the coordinator is not there yet) comes without topics.
        read = dict(topics[0][1]) if topics else {}
        return [read.get(p, 0) for p in range(partitions)]
