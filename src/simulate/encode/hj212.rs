//! Frames of HJ 212 as a logger writes them, and what it reads of an answer.

use crate::domain::registry::Hj212Edition;
use crate::simulate::encode::{Publication, Said, local};
use crate::simulate::world::{Channel, drawn};

/// The password of every simulated logger, which stands in each frame.
pub(in crate::simulate) const PASSWORD: &str = "123456";
/// How many factors stand in a frame: with the longest codes some 800 of its 1,024 bytes.
const FACTORS: usize = 16;

/// The sum of the data of a frame, HJ 212-2017 annex A: the low byte of what was before is thrown
/// away, so that it is not that of Modbus.
#[must_use]
pub fn sum(data: &[u8]) -> u16 {
    data.iter().fold(0xFFFF, |sum: u16, byte| {
        (0..8).fold((sum >> 8) ^ u16::from(*byte), |sum, _| {
            if sum & 1 == 1 { (sum >> 1) ^ 0xA001 } else { sum >> 1 }
        })
    })
}

/// Puts data into a frame, without a line end.
#[must_use]
pub fn frame(data: &[u8]) -> Vec<u8> {
    let mut frame = format!("##{:04}", data.len()).into_bytes();
    frame.extend_from_slice(data);
    frame.extend_from_slice(format!("{:04X}", sum(data)).as_bytes());
    frame
}

/// Gives the bits of the version in `Flag`.
pub(in crate::simulate) fn version(edition: Hj212Edition) -> u8 {
    match edition {
        Hj212Edition::Of2005 => 0,
        Hj212Edition::Of2017 => 4,
        Hj212Edition::SurfaceWater | Hj212Edition::Of2025 => 8,
    }
}

/// Writes values of an instant (CN 2011), and results of samples (CN 2061), a frame a message.
pub(super) fn encode(
    said: &Said<'_>,
    edition: Hj212Edition,
    acknowledge: bool,
) -> Vec<Publication> {
    let of = |sampled: bool| -> Vec<_> {
        said.values.iter().filter(|(channel, _)| channel.sampled == sampled).collect()
    };
    let (instants, samples) = (of(false), of(true));
    let parts = instants.chunks(FACTORS).map(|part| (2011, part));
    let parts = parts.chain(samples.chunks(FACTORS).map(|part| (2061, part)));
    let topic = format!("hj212/{}/up", said.device.name);
    let each = parts.zip(0_i64..).map(|((command, values), part)| {
        // A part has a number of its own.
        let qn = local(said.at.plus(part), "%Y%m%d%H%M%S%3f");
        let flag = version(edition) | u8::from(acknowledge);
        let data = data(said, edition, command, values, &qn, flag);
        let mut payload = frame(data.as_bytes());
        payload.extend_from_slice(b"\r\n");
        let asks = acknowledge.then_some(qn);
        Publication { asks, ..Publication::new(topic.clone(), payload) }
    });
    each.collect()
}

fn data(
    said: &Said<'_>,
    edition: Hj212Edition,
    command: u16,
    values: &[&(&Channel, f64)],
    qn: &str,
    flag: u8,
) -> String {
    // Surface water, and waste water.
    let system = if edition == Hj212Edition::SurfaceWater { 21 } else { 32 };
    let at = if command == 2061 { drawn(said.at) } else { said.at };
    let items = values.iter().map(|(channel, value)| {
        let code = channel.name.split('-').next().unwrap_or_default();
        format!(";{}={value},{code}-Flag=N", channel.name)
    });
    let items: String = items.collect();
    format!(
        "QN={qn};ST={system};CN={command};PW={PASSWORD};MN={};Flag={flag};\
         CP=&&DataTime={}{items}&&",
        said.device.name,
        local(at, "%Y%m%d%H%M%S"),
    )
}

/// An answer to a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::simulate) struct Answer<'p> {
    /// The number of the frame that it answers.
    pub(in crate::simulate) qn: &'p str,
    /// The device, as it names it.
    pub(in crate::simulate) mn: &'p str,
}

/// Reads an acknowledgement of data (CN 9014) as a logger does that takes no other: of the system
/// 91, with its own password and the bits of its version, asking for nothing.
///
/// # Errors
/// What is wrong with it.
pub(in crate::simulate) fn answer(
    payload: &[u8],
    edition: Hj212Edition,
) -> Result<Answer<'_>, String> {
    let text = std::str::from_utf8(payload).map_err(|_| "no text".to_owned())?;
    let text = text.trim_end_matches(['\r', '\n']);
    let inner = text.get(6..text.len().saturating_sub(4)).unwrap_or_default();
    if frame(inner.as_bytes()) != text.as_bytes() {
        return Err(format!("`{text}` is no frame: head, length or sum are others"));
    }
    let (head, body) = inner.split_once("CP=&&").ok_or("no CP=&&")?;
    if body != "&&" {
        return Err(format!("`{body}` in CP, expected nothing"));
    }
    let field = |name: &str| {
        let mut fields = head.split(';').filter_map(|field| field.split_once('='));
        fields.find(|(one, _)| *one == name).map_or("", |(_, value)| value)
    };
    let flag = version(edition).to_string();
    for (name, want) in [("ST", "91"), ("CN", "9014"), ("PW", PASSWORD), ("Flag", &*flag)] {
        if field(name) != want {
            return Err(format!("{name}={}, expected {want}", field(name)));
        }
    }
    Ok(Answer { qn: field("QN"), mn: field("MN") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_the_standards_own_frame() {
        // HJ 212-2017, the example of its annex A.
        let data = "QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;\
                    Flag=5;CP=&&RtdInterval=30&&";
        assert_eq!(sum(data.as_bytes()), 0x1C80);
        let framed = String::from_utf8(frame(data.as_bytes())).unwrap();
        assert!(framed.starts_with("##0101QN=") && framed.ends_with("&&1C80"), "{framed}");
    }

    #[track_caller]
    fn check(data: &str, want: Result<(&str, &str), &str>) {
        let payload = frame(data.as_bytes());
        match (answer(&payload, Hj212Edition::Of2017), want) {
            (Ok(answer), Ok(want)) => assert_eq!((answer.qn, answer.mn), want),
            (Err(fault), Err(words)) => assert!(fault.contains(words), "{fault}"),
            (found, want) => panic!("{found:?}, expected {want:?}"),
        }
    }

    #[test]
    fn a_logger_takes_only_what_answers_its_frame() {
        let right = "QN=1;ST=91;CN=9014;PW=123456;MN=A;Flag=4;CP=&&&&";
        check(right, Ok(("1", "A")));
        check(&right.replace("9014", "9013"), Err("CN=9013, expected 9014"));
        check(&right.replace("Flag=4", "Flag=5"), Err("Flag=5, expected 4"));
        check(&right.replace("123456", "1"), Err("PW=1"));
        check(&right.replace("ST=91", "ST=32"), Err("ST=32"));
        check(&right.replace("&&&&", "&&A=1&&"), Err("`A=1&&` in CP"));
        assert!(answer(b"##", Hj212Edition::Of2017).is_err());
    }
}
