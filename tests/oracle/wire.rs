//! As much of MQTT as the test's own clients and the proxy need, apart from weir's.

/// Cuts a stream of bytes into whole packets.
#[derive(Debug, Default)]
pub struct Frames(Vec<u8>);

impl Frames {
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Gives the next packet, if all of it is there.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        let (head, length) = lengths(&self.0)?;
        (self.0.len() >= head + length).then(|| self.0.drain(..head + length).collect())
    }

    /// Gives what is no whole packet yet.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// Gives the length of a packet's fixed header and of what follows it.
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((index + 2, length));
        }
    }
    None
}

/// Gives a packet's body.
pub fn body(frame: &[u8]) -> &[u8] {
    lengths(frame).map_or(&[], |(head, _)| &frame[head..])
}

/// Puts a packet together.
pub fn frame(head: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![head];
    let mut length = body.len();
    loop {
        frame.push((length & 0x7f) as u8 | if length > 0x7f { 0x80 } else { 0 });
        length >>= 7;
        if length == 0 {
            break;
        }
    }
    frame.extend(body);
    frame
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

/// A CONNECT of MQTT 3.1.1 without keep-alive.
pub fn connect(client_id: &str, clean: bool) -> Vec<u8> {
    let flags = if clean { 2 } else { 0 };
    frame(0x10, &[&b"\0\x04MQTT\x04"[..], &[flags, 0, 0], &text(client_id)].concat())
}

/// A SUBSCRIBE of MQTT 3.1.1 to one filter at QoS 1.
pub fn subscribe(filter: &str) -> Vec<u8> {
    frame(0x82, &[&[0, 1], &*text(filter), &[1]].concat())
}

/// A PUBLISH of MQTT 3.1.1 at QoS 1.
pub fn publish(topic: &str, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    frame(0x32, &[&text(topic), &packet_id.to_be_bytes()[..], payload].concat())
}

pub fn puback(packet_id: u16) -> Vec<u8> {
    frame(0x40, &packet_id.to_be_bytes())
}

pub const CONNACK: u8 = 2;
pub const PUBLISH: u8 = 3;
pub const PUBACK: u8 = 4;
pub const SUBACK: u8 = 9;

/// Gives the packet id with which a packet begins, such as a PUBACK.
pub fn packet_id(frame: &[u8]) -> u16 {
    let body = body(frame);
    u16::from_be_bytes([body[0], body[1]])
}

/// A message on its way to a subscriber.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    pub dup: bool,
    pub qos: u8,
    /// 0 at QoS 0.
    pub packet_id: u16,
    pub topic: String,
    pub payload: Vec<u8>,
}

impl Delivery {
    /// Reads a PUBLISH; of MQTT 5, the properties are passed over.
    pub fn read(frame: &[u8], new: bool) -> Self {
        let (head, mut rest) = (frame[0], body(frame));
        let mut take = |count: usize| {
            let (taken, after) = rest.split_at(count);
            rest = after;
            taken
        };
        let length = take(2);
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let topic = String::from_utf8_lossy(take(length)).into_owned();
        let qos = (head >> 1) & 3;
        let packet_id = if qos > 0 { take(2) } else { &[0, 0] };
        let packet_id = u16::from_be_bytes([packet_id[0], packet_id[1]]);
        if new {
            // None is longer than 127 bytes here.
            let properties = usize::from(take(1)[0]);
            take(properties);
        }
        Self { dup: head & 8 != 0, qos, packet_id, topic, payload: rest.to_vec() }
    }
}
