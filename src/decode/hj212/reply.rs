//! What is said to a frame: that it is held. HJ 212-2017: a packet whose flag asks for it is
//! answered, each by itself, with 9014 if it brings values and with 9013 if it is a notice; the
//! answer repeats `QN`, `PW` and `MN`, and is of the system type, `ST=91`.

use super::crc;
use super::parameters::Data;
use crate::domain::registry::Hj212Crc;

/// What stands for the device's name in the topic of the answer.
pub(super) const DEVICE: &str = "{device}";
/// The bit of the flag that asks for an answer.
const ASKS: u8 = 1;
/// The bits of the flag that tell the version; the others are of the one packet.
const VERSION: u8 = !0b11;
/// How long what is repeated may be, bytes: `QN` has 17 digits, `PW` 6 characters, `MN` 24 or 27.
const REPEATED_BYTES_MAX: usize = 64;

/// Gives the frame that acknowledges another, if its device asks for one and can find by `QN` what
/// it answers. An answer is not answered.
pub(super) fn acknowledgement(data: &Data<'_>, crc: Hj212Crc) -> Option<Box<[u8]>> {
    let Data { mn, qn, pw, flag, cn, .. } = *data;
    let answer = match cn {
        9011..=9014 => return None,
        // The site asks for the time, or says that it is there.
        1013 | 9015 | 9021 => 9013,
        _ => 9014,
    };
    let fits = |text: &str| {
        text.len() <= REPEATED_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if flag & ASKS == 0 || qn.is_empty() || ![qn, pw, mn].into_iter().all(fits) {
        return None;
    }
    let version = flag & VERSION;
    let password = if pw.is_empty() { String::new() } else { format!("PW={pw};") };
    let text = format!("QN={qn};ST=91;CN={answer};{password}MN={mn};Flag={version};CP=&&&&");
    let sum = match crc {
        Hj212Crc::Standard => crc::hj212(text.as_bytes()),
        Hj212Crc::ModbusSwapped => crc::modbus_swapped(text.as_bytes()),
    };
    Some(format!("##{:04}{text}{sum:04X}\r\n", text.len()).into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, want: Option<&str>) {
        let text = format!("{head};CP=&&x=1&&");
        let frame = acknowledgement(&Data::read(&text).unwrap(), Hj212Crc::Standard);
        let frame = frame.map(|frame| String::from_utf8(frame.into()).unwrap());
        assert_eq!(frame.as_deref(), want);
    }

    #[test]
    fn values_are_acknowledged_by_their_own_number_in_their_own_version() {
        check(
            "QN=20260501080005123;ST=21;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5",
            Some(
                "##0087QN=20260501080005123;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;\
                 Flag=4;CP=&&&&2800\r\n",
            ),
        );
        for (flag, version) in [(1, 0), (3, 0), (7, 4), (9, 8), (11, 8), (13, 12), (255, 252)] {
            let data = Data { qn: "1", mn: "A", cn: 2051, flag, ..Data::default() };
            let frame = acknowledgement(&data, Hj212Crc::Standard).unwrap();
            let frame = String::from_utf8(frame.into()).unwrap();
            assert!(frame.contains(&format!(";MN=A;Flag={version};CP=&&&&")), "{frame}");
        }
    }

    #[test]
    fn a_notice_is_acknowledged_as_one() {
        for cn in ["1013", "9015", "9021"] {
            let text = format!("QN=1;CN={cn};MN=A;Flag=9;CP=&&&&");
            let frame = acknowledgement(&Data::read(&text).unwrap(), Hj212Crc::Standard).unwrap();
            let frame = String::from_utf8(frame.into()).unwrap();
            assert!(frame.contains("QN=1;ST=91;CN=9013;MN=A;Flag=8;"), "{frame}");
        }
    }

    #[test]
    fn nobody_is_answered_who_did_not_ask_or_could_not_know_what_is_meant() {
        check("QN=1;CN=2011;MN=A;Flag=4", None);
        check("QN=1;CN=2011;MN=A", None);
        check("QN=1;CN=2011;MN=A;Flag=x", None);
        check("CN=2011;MN=A;Flag=5", None);
        for answer in ["9011", "9012", "9013", "9014"] {
            check(&format!("QN=1;CN={answer};MN=A;Flag=5"), None);
        }
        check(&format!("QN={};CN=2011;MN=A;Flag=5", "1".repeat(REPEATED_BYTES_MAX + 1)), None);
        check("QN=1;CN=2011;MN=站;Flag=5", None);
    }

    #[test]
    fn a_device_that_reckons_otherwise_is_answered_in_its_own_sum() {
        let data = Data { qn: "1", mn: "A", cn: 2011, flag: 5, ..Data::default() };
        let frame = acknowledgement(&data, Hj212Crc::ModbusSwapped).unwrap();
        let (text, sum) = (&frame[6..frame.len() - 6], &frame[frame.len() - 6..frame.len() - 2]);
        assert_eq!(sum, format!("{:04X}", crc::modbus_swapped(text)).as_bytes());
    }
}
