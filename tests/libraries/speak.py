"""What libraries that know nothing of weir say and hear in Sparkplug B and SenML.

`speak.py say SEED` writes messages, one a line of JSON, and in plain words what they say.
`speak.py hear` reads messages, one a line, and writes what the libraries find in each.
"""

import datetime
import json
import random
import sys

import cbor2
import kpn_senml
import senml
from pysparkplug import (
    DBirth, DData, DDeath, DataType, MessageType, Metadata, Metric,
    NBirth, NCmd, NData, NDeath, State, Topic,
)
from pysparkplug import _protobuf as protobuf

# kpn-senml asks for a name that Python 3 does not have when a value is text.
kpn_senml.senml_record.basestring = str

START = 1_777_593_600_000  # 2026-05-01T00:00:00Z, in ms
WHOLE = {
    DataType.INT8: (-(2**7), 2**7 - 1),
    DataType.INT16: (-(2**15), 2**15 - 1),
    DataType.INT32: (-(2**31), 2**31 - 1),
    DataType.INT64: (-(2**63), 2**63 - 1),
    DataType.UINT8: (0, 2**8 - 1),
    DataType.UINT16: (0, 2**16 - 1),
    DataType.UINT32: (0, 2**32 - 1),
    DataType.UINT64: (0, 2**64 - 1),
}
SINGLE = [DataType.FLOAT, DataType.DOUBLE, DataType.BOOLEAN, DataType.STRING, DataType.TEXT,
          DataType.DATETIME]
# No single number; what the library takes for one of each.
OTHER = {
    DataType.UUID: "6f1b7e52-6c9a-4b7e-9d55-2f8f4a6f9c11",
    DataType.BYTES: b"\x01\x02",
    DataType.FILE: b"7.62",
    DataType.INT16_ARRAY: (1, -2),
    DataType.DOUBLE_ARRAY: (7.62, 6.85),
    DataType.BOOLEAN_ARRAY: (True, False, True),
    DataType.STRING_ARRAY: ("a", "b"),
}
UNITS = ["Cel", "pH", "mg/L", "m3/s", "%RH"]
LABELS = {-6: "bs", -5: "bv", -4: "bu", -3: "bt", -2: "bn", -1: "bver",
          0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd"}


def tell(form, topic, payload, received, readings, refused=(), asks=False):
    """Writes one message and what it says: readings as name, number, time and unit."""
    print(json.dumps({
        "format": form, "topic": str(topic), "payload": payload.hex(), "received": received,
        "readings": readings, "refused": list(refused), "asks": asks,
    }))


def six_digits(rng):
    """A number that 32 bits hold to all of its digits."""
    return rng.randint(-999_999, 999_999) / 10 ** rng.randint(0, 6)


class Sensor:
    """A metric: its name, its alias, its type, and its unit."""

    def __init__(self, rng, alias, kind):
        self.rng, self.alias, self.kind = rng, alias, kind
        text = "text " if kind in (DataType.STRING, DataType.TEXT) else ""
        self.name = f"{text}{kind.name.lower()}"
        self.unit = rng.choice([None, *UNITS])

    def value(self):
        """A value for the library, and the number that it means, if it means one."""
        rng, kind = self.rng, self.kind
        if kind in WHOLE:
            low, high = WHOLE[kind]
            said = rng.choice([low, high, 0, rng.randint(low, high), rng.randint(low, high)])
            return said, said
        if kind is DataType.FLOAT:
            said = six_digits(rng)
            return said, said
        if kind is DataType.DOUBLE:
            said = rng.uniform(-1, 1) * 10.0 ** rng.randint(-300, 300)
            return said, said
        if kind is DataType.BOOLEAN:
            said = rng.random() < 0.5
            return said, int(said)
        if kind in (DataType.STRING, DataType.TEXT):
            said = six_digits(rng)
            return f"{said:.6f}", said
        if kind is DataType.DATETIME:
            said = rng.randint(0, 2**31)
            return datetime.datetime.fromtimestamp(said, datetime.timezone.utc), said * 1_000
        return OTHER[kind], None


class Node:
    """An edge node with its devices, each of which has a metric of every type."""

    def __init__(self, rng, name):
        self.rng, self.name, self.at = rng, name, START
        self.session, self.seq = rng.randint(0, 255), 0
        aliases = iter(rng.sample(range(1, 2**40), 200))
        kinds = [*WHOLE, *SINGLE, *OTHER]
        self.sensors = {
            device: [Sensor(rng, next(aliases), kind) for kind in kinds]
            for device in [None, "sonde", "meter"]
        }

    def topic(self, kind, device=None):
        return Topic(group_id="park", message_type=kind, edge_node_id=self.name, device_id=device)

    def number(self):
        number, self.seq = self.seq, (self.seq + 1) % 256
        return number

    def bd_seq(self, session):
        return Metric(timestamp=self.at, name="bdSeq", datatype=DataType.UINT64, value=session)

    def metrics(self, sensors, named, aliased):
        """Metrics of these sensors, and what they say."""
        rng = self.rng
        metrics, readings, refused = [], [], []
        for sensor in sensors:
            value, number = sensor.value()
            null = rng.random() < 0.1
            time = rng.choice([None, self.at, self.at - rng.randint(1, 100_000)])
            metrics.append(Metric(
                timestamp=time, datatype=sensor.kind, value=None if null else value,
                name=sensor.name if named else None, alias=sensor.alias if aliased else None,
                is_null=null, is_historical=rng.random() < 0.1, is_transient=rng.random() < 0.1,
                metadata=Metadata(description="as read") if rng.random() < 0.1 else None,
            ))
            if number is None and not null:
                refused.append(sensor.name)
            else:
                time = self.at if time is None else time
                readings.append([sensor.name, None if null else number, time, sensor.unit])
        return metrics, readings, refused

    def birth(self, device):
        self.at += 1_000
        kind, message = (MessageType.DBIRTH, DBirth) if device else (MessageType.NBIRTH, NBirth)
        metrics, readings, refused = self.metrics(self.sensors[device], True, True)
        if device is None:
            self.seq = 0
            rebirth = Metric(timestamp=self.at, name="Node Control/Rebirth", value=False,
                             datatype=DataType.BOOLEAN)
            metrics += [self.bd_seq(self.session), rebirth]
        payload = message(timestamp=self.at, seq=self.number(), metrics=tuple(metrics)).encode()
        # The library has no words for properties, but its Protocol Buffers have.
        whole = protobuf.Payload.FromString(payload)
        for metric, sensor in zip(whole.metrics, self.sensors[device]):
            if sensor.unit is not None:
                metric.properties.keys.append("engUnit")
                metric.properties.values.add(type=DataType.STRING, string_value=sensor.unit)
        payload = whole.SerializeToString()
        tell("sparkplug_b", self.topic(kind, device), payload, self.at, readings, refused)

    def births(self):
        for device in self.sensors:
            self.birth(device)

    def data(self, device, lost=False):
        self.at += 1_000
        kind, message = (MessageType.DDATA, DData) if device else (MessageType.NDATA, NData)
        some = self.rng.sample(self.sensors[device], self.rng.randint(1, 8))
        named, aliased = self.rng.choice([(False, True), (False, True), (True, False)])
        if lost:
            named, aliased = False, True
        metrics, readings, refused = self.metrics(some, named, aliased)
        if lost:
            readings, refused = [], [f"alias {sensor.alias}" for sensor in some]
        payload = message(timestamp=self.at, seq=self.number(), metrics=tuple(metrics))
        payload = payload.encode(include_dtypes=self.rng.random() < 0.3 and not lost)
        tell("sparkplug_b", self.topic(kind, device), payload, self.at, readings, refused, lost)

    def gone(self, device, time):
        return [[sensor.name, None, time, None] for sensor in self.sensors[device]]

    def death(self, session, readings):
        """The node's will, written when its session began."""
        payload = NDeath(timestamp=self.rng.choice([None, START]),
                         bd_seq_metric=self.bd_seq(session))
        topic = self.topic(MessageType.NDEATH)
        tell("sparkplug_b", topic, payload.encode(), self.at, readings)

    def live(self):
        """From birth to death, with a message lost, a device gone and a will that comes late."""
        self.births()
        for _ in range(300):
            self.data(self.rng.choice(list(self.sensors)))
        self.number()
        self.data("sonde", lost=True)
        self.births()
        self.data("sonde")
        self.at += 1_000
        payload = DDeath(timestamp=self.at, seq=self.number()).encode()
        topic = self.topic(MessageType.DDEATH, "sonde")
        tell("sparkplug_b", topic, payload, self.at, self.gone("sonde", self.at))
        self.data("meter")
        earlier, self.session = self.session, (self.session + 1) % 256
        self.births()
        self.death(earlier, [])
        self.data("sonde")
        self.death(self.session, self.gone(None, None))


def moment(seconds, received):
    """The time in ms that a record of SenML means, by RFC 8428 section 4.5.3."""
    if seconds == 0:
        return None
    millis = round(seconds * 1_000)
    return millis if seconds >= 2**28 else received + millis


def quarters(rng):
    """A number from which another such one may be taken away without a loss."""
    return rng.randint(-10_000, 10_000) / 4


def kpn_pack(rng, form, received):
    """A pack of kpn-senml, whose records are given as they are without a base."""
    pack = kpn_senml.SenmlPack(f"urn:dev:ow:{rng.randint(0, 3)}:")
    if rng.random() < 0.7:
        pack.base_time = received / 1_000 - rng.choice([4, 1]) * rng.randint(1, 99_999) / 4
    if rng.random() < 0.5:
        pack.base_value = quarters(rng)
    if rng.random() < 0.5:
        pack.base_unit = rng.choice(UNITS)
    # In CBOR the library labels base sums -16; RFC 8428 says -6.
    if form == "json" and rng.random() < 0.5:
        pack.base_sum = quarters(rng)
    readings, refused = [], []
    for number in range(rng.randint(1, 12)):
        kind = rng.choice(["value", "value", "value", "whole", "sum", "truth", "text", "bytes"])
        # The library can't write bytes as JSON. And a long fraction that 32 bits happen to hold may
        # mean a shorter one: weir takes it for that.
        if kind == "bytes" and form == "json" or kind == "whole" and pack.base_value:
            kind = "value"
        name = f"text{number}" if kind == "text" else f"{kind}{number}"
        time = rng.choice([None, pack.base_time, (pack.base_time or 0) - rng.randint(1, 9_999) / 4])
        unit = rng.choice([None, None, *UNITS])
        record = kpn_senml.SenmlRecord(name, time=time, unit=unit)
        if rng.random() < 0.2:
            record.update_time = (pack.base_time or 0) + 60
        said = quarters(rng) or 1.0
        match kind:
            case "value":
                if not pack.base_value:
                    said = rng.uniform(-1, 1) * 10.0 ** rng.randint(-99, 99)
                record.value = said
            case "whole":
                said = rng.choice([int, float])(rng.randint(-(2**31), 2**31) >> 9 << 9)
                record.value = said
            case "sum":
                record.sum = said
            case "truth":
                record.value = said > 0
                said = int(said > 0)
            case "text":
                record.value = str(said)
            case "bytes":
                record.value = bytearray(b"7.62")
        pack.add(record)
        whole = pack.name + name
        if kind == "bytes":
            refused.append(whole)
        elif kind == "sum":
            at = pack.base_time if time is None else time
            readings.append([f"{whole}#sum", said, moment(at or 0, received), None])
        else:
            at = pack.base_time if time is None else time
            unit = unit or pack.base_unit
            readings.append([whole, said, moment(at or 0, received), unit])
    payload = pack.to_json().encode() if form == "json" else pack.to_cbor()
    if form == "cbor" and rng.random() < 0.5:
        # RFC 8949 section 4.2: each number in as few bytes as hold it.
        payload = cbor2.dumps(cbor2.loads(payload), canonical=True)
    tell("senml", "senml", payload, received, readings, refused)


def resolved(document, received):
    """What a document of senml says, by that library."""
    readings = []
    for one in document.measurements:
        whole = one.to_absolute(document.base)
        time = moment(whole.time, received)
        if whole.value is not None:
            readings.append([whole.name, float(whole.value), time, whole.unit])
        if whole.sum is not None:
            readings.append([f"{whole.name}#sum", whole.sum, time, None])
    return readings


def senml_document(rng, received):
    """A document of senml, whose base stands in its first record."""
    def some(value):
        return rng.choice([None, value])

    base = senml.SenMLMeasurement(
        name=f"urn:dev:mac:{rng.randint(0, 3)}/", value=some(six_digits(rng)),
        time=some(received / 1_000 - rng.randint(0, 9_999) / 8), unit=some(rng.choice(UNITS)),
    )
    measurements = []
    for number in range(rng.randint(1, 12)):
        kind, value = rng.choice([("value", six_digits(rng)), ("truth", rng.random() < 0.5),
                                  ("text", str(six_digits(rng)))])
        measurements.append(senml.SenMLMeasurement(
            name=f"{kind}{number}", value=value, unit=some(rng.choice(UNITS)),
            time=some(-rng.randint(0, 9_999) / 8), sum=some(six_digits(rng)),
        ))
    document = senml.SenMLDocument(measurements, base=base)
    payload = json.dumps(document.to_json()).encode()
    tell("senml", "senml", payload, received, resolved(document, received))


def say(seed):
    rng = random.Random(seed)
    for name in ["edge-1", "edge-2", "edge-3"]:
        Node(rng, name).live()
    for number in range(300):
        received = START + number * 1_000
        kpn_pack(rng, "json", received)
        kpn_pack(rng, "cbor", received)
        senml_document(rng, received)


MESSAGES = {
    MessageType.NBIRTH: NBirth, MessageType.NDATA: NData, MessageType.NCMD: NCmd,
    MessageType.DBIRTH: DBirth, MessageType.DDATA: DData,
}


def heard_of_sparkplug(topic, payload, births):
    """What pysparkplug finds in a message."""
    topic = Topic.from_str(topic)
    if topic.message_type == MessageType.STATE:
        state = State.decode(payload)
        return {"host": topic.sparkplug_host_id, "online": state.online, "time": state.timestamp}
    if topic.message_type == MessageType.NDEATH:
        metric = NDeath.decode(payload).bd_seq_metric
        return {"node": topic.edge_node_id, "readings": [[metric.name, metric.value, None]]}
    of = (topic.edge_node_id, topic.device_id)
    message = MESSAGES[topic.message_type].decode(payload, birth=births.get(of))
    if topic.message_type in (MessageType.NBIRTH, MessageType.DBIRTH):
        births[of] = message
    readings = [[one.name, one.value, one.timestamp] for one in message.metrics]
    return {"node": topic.edge_node_id, "device": topic.device_id, "time": message.timestamp,
            "seq": getattr(message, "seq", None), "readings": readings}


def heard_of_senml(payload, received):
    """What senml finds in a pack, once the labels of CBOR are words."""
    if payload.startswith(b"["):
        records = json.loads(payload)
    else:
        records = [{LABELS[label]: value for label, value in record.items()}
                   for record in cbor2.loads(payload)]
    return {"readings": resolved(senml.SenMLDocument.from_json(records), received)}


def hear():
    births = {}
    for line in sys.stdin:
        message = json.loads(line)
        payload = bytes.fromhex(message["payload"])
        if message["format"] == "senml":
            print(json.dumps(heard_of_senml(payload, message["received"])))
        else:
            print(json.dumps(heard_of_sparkplug(message["topic"], payload, births)))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["say", seed]:
            say(int(seed))
        case ["hear"]:
            hear()
        case _:
            sys.exit(__doc__)
