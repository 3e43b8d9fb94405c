//! Frames of HJ 212 in a payload: `##`, four digits that count the bytes of the data, the data,
//! four hex digits of their sum, and a line end that is often missing. What is broken costs only
//! itself: the next `##` is another beginning.

use crate::decode::hj212::crc;
use crate::decode::hj212::seal::SEALED;
use crate::domain::registry::Hj212Crc;

/// The bytes of a frame beside its data, without a line end.
const AROUND: usize = 2 + 4 + 4;

/// A frame whose sum is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frame<'p> {
    /// The number of its first byte in the payload, from 0; its data begin at the seventh.
    pub(super) at: usize,
    /// The data.
    pub(super) data: &'p [u8],
    /// Whether its sum is not that of the standard.
    pub(super) odd_crc: bool,
}

/// What stands where a frame should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Broken {
    /// The number of its first byte in the payload, from 0.
    pub(super) at: usize,
    /// What was found and what was expected.
    pub(super) fault: String,
}

impl Broken {
    fn new(at: usize, fault: String) -> Self {
        Self { at, fault }
    }
}

/// Walks a payload frame by frame.
#[derive(Clone, Debug)]
pub(super) struct Frames<'p> {
    payload: &'p [u8],
    at: usize,
    crc: Hj212Crc,
}

impl<'p> Frames<'p> {
    pub(super) fn new(payload: &'p [u8], crc: Hj212Crc) -> Self {
        Self { payload, at: 0, crc }
    }

    fn rest(&self, from: usize) -> &'p [u8] {
        self.payload.get(from..).unwrap_or_default()
    }

    /// Gives the place of the next `##` from a place on, or the end.
    fn next_mark(&self, from: usize) -> usize {
        let found = self.rest(from).windows(2).position(|two| two == b"##");
        found.map_or(self.payload.len(), |offset| from + offset)
    }

    fn read(&self, at: usize) -> Result<Frame<'p>, Broken> {
        let (digits, rest) = self.rest(at + 2).split_at_checked(4).ok_or_else(|| {
            Broken::new(at, "the payload ends in the length, expected four digits".into())
        })?;
        if !digits.iter().all(u8::is_ascii_digit) {
            let found = shown(digits);
            return Err(Broken::new(at, format!("length {found}, expected four digits")));
        }
        let length = digits.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        let Some((data, rest)) = rest.split_at_checked(length) else {
            let found = rest.len();
            let fault = format!("the length says {length} bytes of data, the payload has {found}");
            return Err(Broken::new(at, fault));
        };
        let sum_at = at + 6 + length;
        let sum = rest.get(..4).unwrap_or(rest);
        let hex = std::str::from_utf8(sum).ok().filter(|hex| hex.len() == 4);
        let digits = hex.filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(stated) = digits.and_then(|hex| u16::from_str_radix(hex, 16).ok()) else {
            let found = shown(sum);
            let fault = format!(
                "{found} at byte {sum_at}, behind the {length} bytes that the length says, \
                 expected the CRC as four hex digits"
            );
            return Err(Broken::new(at, fault));
        };
        let right = crc::hj212(data);
        let swapped = || crc::modbus_swapped(data);
        let odd_crc = stated != right;
        if odd_crc && !(self.crc == Hj212Crc::ModbusSwapped && stated == swapped()) {
            let mut fault = format!("CRC {stated:04X} at byte {sum_at}, expected {right:04X}");
            if self.crc == Hj212Crc::Standard && stated == swapped() {
                fault.push_str(
                    "; it is the one of Modbus with its bytes swapped: crc=modbus-swapped in the \
                     device's options of devices.csv takes it",
                );
            }
            return Err(Broken::new(at, fault));
        }
        Ok(Frame { at, data, odd_crc })
    }
}

impl<'p> Iterator for Frames<'p> {
    type Item = Result<Frame<'p>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let begins =
            self.at + self.rest(self.at).iter().take_while(|byte| is_blank(**byte)).count();
        if begins >= self.payload.len() {
            return None;
        }
        if !self.rest(begins).starts_with(b"##") {
            self.at = self.next_mark(begins);
            let bytes = self.at - begins;
            let found = shown(self.rest(begins).get(..bytes).unwrap_or_default());
            let fault = format!("{bytes} bytes {found}, expected `##`");
            return Some(Err(Broken::new(begins, fault)));
        }
        let read = self.read(begins);
        self.at = match &read {
            Ok(frame) => begins + AROUND + frame.data.len(),
            Err(_) => self.next_mark(begins + 2),
        };
        let whole = self.payload.get(begins..self.at).unwrap_or_default();
        Some(read.map_err(|broken| match is_sealed(whole) {
            true => Broken::new(begins, STAYS_SEALED.into()),
            false => broken,
        }))
    }
}

/// What is said of a frame that no key opened.
const STAYS_SEALED: &str = "its parameters are encrypted (SM4, HJ 212-2025), and no key of \
                            its MN in hj212_keys_file of its broker opens it";

fn is_sealed(frame: &[u8]) -> bool {
    frame.windows(SEALED.len()).any(|window| window == SEALED)
}

fn is_blank(byte: u8) -> bool {
    // A gateway may end a text with a zero byte.
    byte.is_ascii_whitespace() || byte == 0
}

/// Shows bytes to people: a few of them, quoted.
fn shown(bytes: &[u8]) -> String {
    const BYTES_SHOWN: usize = 16;
    let more = if bytes.len() > BYTES_SHOWN { "…" } else { "" };
    let first = bytes.get(..BYTES_SHOWN).unwrap_or(bytes);
    format!("`{}{more}`", String::from_utf8_lossy(first).escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the length of each frame's data, and the place and words of what is broken.
    #[track_caller]
    fn check(payload: &str, want: &[&str]) {
        let frames = Frames::new(payload.as_bytes(), Hj212Crc::Standard);
        let told: Vec<String> = frames
            .map(|frame| match frame {
                Ok(frame) => frame.data.len().to_string(),
                Err(broken) => format!("{}: {}", broken.at, broken.fault),
            })
            .collect();
        assert_eq!(told.len(), want.len(), "{told:?}");
        for (told, want) in told.iter().zip(want) {
            assert!(told.contains(want), "{told} does not say {want}");
        }
    }

    fn frame(data: &str) -> String {
        format!("##{:04}{data}{:04X}", data.len(), crc::hj212(data.as_bytes()))
    }

    #[test]
    fn frames_follow_each_other_with_and_without_line_ends() {
        let two = frame("a") + &frame("bb");
        check(&two, &["1", "2"]);
        check(&(frame("a") + "\r\n" + &frame("bb") + "\r\n\0"), &["1", "2"]);
        check(&frame("a").to_lowercase(), &["1"]);
        check(" \r\n", &[]);
    }

    #[test]
    fn what_is_broken_costs_only_itself() {
        let good = frame("good");
        check(&format!("hello{good}"), &["0: 5 bytes `hello`, expected `##`", "4"]);
        check(&format!("##453xyz{good}"), &["0: length `453x`, expected four digits", "4"]);
        check(&format!("##0003abZ00{good}"), &["0: `00##` at byte 9", "4"]);
        check(&format!("{good}##0100abc"), &["4", "14: the length says 100 bytes of data"]);
        check(&format!("##0004goodFFFF\r\n{good}"), &["0: CRC FFFF at byte 10, expected", "4"]);
        check("##00", &["0: the payload ends in the length"]);
        check("###", &["0: the payload ends in the length"]);
    }

    #[test]
    fn a_length_that_swallows_the_next_frame_does_not_cost_it() {
        check(&format!("##0012good1234{}", frame("good")), &["expected the CRC", "4"]);
    }

    #[test]
    fn a_swapped_modbus_sum_is_taken_only_where_it_is_said() {
        let data = "QN=1;CP=&&&&";
        let sent = format!("##0012{data}{:04X}", crc::modbus_swapped(data.as_bytes()));
        check(&sent, &["crc=modbus-swapped"]);
        let mut frames = Frames::new(sent.as_bytes(), Hj212Crc::ModbusSwapped);
        assert!(frames.next().unwrap().unwrap().odd_crc);
        let plain = frame(data);
        let mut frames = Frames::new(plain.as_bytes(), Hj212Crc::ModbusSwapped);
        assert!(!frames.next().unwrap().unwrap().odd_crc);
    }
}
