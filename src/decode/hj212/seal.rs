//! What HJ 212-2025 encrypts [2]: the text between `CP=&&` and `&&`, by SM4 in ECB mode without
//! padding. Whole blocks of 16 bytes are written `{0xE4,0x3E,…}`, the rest behind them stays as it
//! is; length and CRC are those of the plain frame, so that a frame that was opened is like any
//! other. Some count the bytes as they are sent.

use std::collections::BTreeMap;
use std::fmt;

use sm4::Sm4;
use sm4::cipher::{BlockDecrypt as _, KeyInit as _, generic_array::GenericArray};

use super::crc;
use super::parameters::items;

/// How the parameters begin that are encrypted.
pub(super) const SEALED: &[u8] = b"CP=&&{";
/// What stands before the encrypted bytes of that.
const OPEN: usize = SEALED.len() - 1;
/// A block and a key, bytes.
const BLOCK: usize = 16;
/// How many keys one device may have: the one in use and those before it.
const KEYS_MAX: usize = 8;

/// A key of SM4, 128 bits.
#[derive(Clone)]
struct Key(Sm4);

/// The keys of devices, by `MN`.
#[derive(Clone, Default)]
pub struct Keys(BTreeMap<Box<str>, Vec<Key>>);

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Keys").field(&self.0.len()).finish()
    }
}

impl Keys {
    /// Reads keys: a device and its key a line, as 32 hex digits or 16 characters. Lines that are
    /// empty or begin with `#` say nothing; of a device with several keys each is tried.
    ///
    /// # Errors
    /// The lines that are none, by number from 1, and what is wrong; never what stands there.
    pub fn read(text: &str) -> Result<Self, Vec<(usize, &'static str)>> {
        let (mut keys, mut faults) = (Self::default(), Vec::new());
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let read = text.split_once(char::is_whitespace);
            let read = read.and_then(|(mn, key)| Some((mn, key_of(key.trim())?)));
            let Some((mn, key)) = read else {
                faults.push((line, "MN, a blank, and a key of 32 hex digits or 16 characters"));
                continue;
            };
            let of_device = keys.0.entry(mn.into()).or_default();
            if of_device.len() >= KEYS_MAX {
                faults.push((line, "no more than 8 keys of one device"));
            }
            of_device.push(Key(key));
        }
        if faults.is_empty() { Ok(keys) } else { Err(faults) }
    }

    /// Gives a payload with the frames opened that a key opens, all else as it was; nothing where
    /// there is none.
    #[must_use]
    pub fn open(&self, payload: &[u8]) -> Option<Vec<u8>> {
        if self.0.is_empty() || find(payload, SEALED).is_none() {
            return None;
        }
        let (mut out, mut rest, mut opened) = (Vec::new(), payload, false);
        while let Some(at) = find(rest, b"##") {
            let (before, frame) = rest.split_at(at);
            out.extend_from_slice(before);
            let length = match self.open_frame(frame) {
                Some((plain, length)) => {
                    opened = true;
                    out.extend(plain);
                    length
                }
                None => 2,
            };
            let (read, behind) = frame.split_at_checked(length)?;
            if length == 2 {
                out.extend_from_slice(read);
            }
            rest = behind;
        }
        out.extend_from_slice(rest);
        opened.then_some(out)
    }

    /// Opens the frame that begins here; gives it plain, and how long it was.
    fn open_frame(&self, frame: &[u8]) -> Option<(Vec<u8>, usize)> {
        let Sealed { stated, head, blocks, rest, sum, length } = Sealed::read(frame)?;
        let text = std::str::from_utf8(head).ok()?;
        let mn = items(text).find(|item| item.name == "MN")?.value;
        self.0.get(mn)?.iter().find_map(|Key(key)| {
            let mut plain = [head, &*blocks, rest, b"&&"].concat();
            let inside = plain.get_mut(head.len()..head.len() + blocks.len())?;
            for block in inside.chunks_exact_mut(BLOCK) {
                key.decrypt_block(GenericArray::from_mut_slice(block));
            }
            // The sum has 256 values: a wrong key passes for right once in so many, but for this.
            let is_text = !inside.iter().any(u8::is_ascii_control);
            let counts = stated == plain.len() || stated + 10 == length;
            if !is_text || !counts || crc::hj212(&plain) != sum || plain.len() > 9_999 {
                return None;
            }
            let around = (format!("##{:04}", plain.len()), format!("{sum:04X}"));
            Some(([around.0.as_bytes(), &plain, around.1.as_bytes()].concat(), length))
        })
    }
}

/// A frame whose parameters are encrypted.
struct Sealed<'p> {
    /// The length that it states.
    stated: usize,
    /// Its data, up to the parameters.
    head: &'p [u8],
    blocks: Vec<u8>,
    /// What of the parameters stays as it is.
    rest: &'p [u8],
    sum: u16,
    /// All of it, bytes.
    length: usize,
}

impl<'p> Sealed<'p> {
    fn read(frame: &'p [u8]) -> Option<Self> {
        let stated = std::str::from_utf8(frame.get(2..6)?).ok()?.parse().ok()?;
        let data = frame.get(6..)?;
        let next = find(data, b"##").unwrap_or(data.len());
        let data = data.get(..next)?;
        let at = find(data, SEALED)? + OPEN;
        let (head, inside) = data.split_at_checked(at)?;
        let end = inside.iter().position(|byte| *byte == b'}')?;
        let (hex, behind) = (inside.get(1..end)?, inside.get(end + 1..)?);
        let hex = std::str::from_utf8(hex).ok()?;
        let byte = |text: &str| {
            let text = text.trim();
            let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
            hex_of(digits, 2).and_then(|byte| u8::try_from(byte).ok())
        };
        let bytes = hex.split(',').filter(|text| !text.trim().is_empty()).map(byte);
        let blocks: Vec<u8> = bytes.collect::<Option<_>>()?;
        let rest = find(behind, b"&&").filter(|rest| *rest < BLOCK)?;
        let digits = std::str::from_utf8(behind.get(rest + 2..rest + 6)?).ok()?;
        let sum = hex_of(digits, 4)?;
        let length = 6 + at + end + 1 + rest + 6;
        let rest = behind.get(..rest)?;
        blocks.len().is_multiple_of(BLOCK).then_some(Self {
            stated,
            head,
            blocks,
            rest,
            sum,
            length,
        })
    }
}

fn key_of(text: &str) -> Option<Sm4> {
    let hex = || -> Option<Vec<u8>> {
        let two = |at: usize| u8::try_from(hex_of(text.get(at..at + 2)?, 2)?).ok();
        (0..BLOCK).map(|index| two(index * 2)).collect()
    };
    let bytes = match text.len() {
        16 => text.as_bytes().to_vec(),
        32 => hex()?,
        _ => return None,
    };
    Sm4::new_from_slice(&bytes).ok()
}

/// Reads so many hex digits.
fn hex_of(text: &str, digits: usize) -> Option<u16> {
    let all = text.len() == digits && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    u16::from_str_radix(text, 16).ok().filter(|_| all)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use sm4::cipher::BlockEncrypt as _;

    use super::*;

    /// The key that the standard's test frames are said to have: 16 times `0`.
    const KEY: &str = "0000000000000000";
    const HEAD: &str = "QN=20260501080100001;ST=21;CN=2011;PW=123456;MN=A1;Flag=9;CP=&&";

    fn framed(length: usize, wire: &str, data: &str) -> String {
        format!("##{length:04}{wire}{:04X}\r\n", crc::hj212(data.as_bytes()))
    }

    /// A frame with these parameters, plain and sealed; `sent` counts the bytes as they are sent.
    fn frames(parameters: &str, key: &str, sent: bool) -> (String, String) {
        let data = format!("{HEAD}{parameters}&&");
        let whole = parameters.len() / BLOCK * BLOCK;
        let mut blocks = parameters.as_bytes()[..whole].to_vec();
        let key = key_of(key).unwrap();
        for block in blocks.chunks_exact_mut(BLOCK) {
            key.encrypt_block(GenericArray::from_mut_slice(block));
        }
        let hex: Vec<String> = blocks.iter().map(|byte| format!("0x{byte:02X}")).collect();
        let wire = format!("{HEAD}{{{}}}{}&&", hex.join(","), &parameters[whole..]);
        let length = if sent { wire.len() } else { data.len() };
        (framed(data.len(), &data, &data), framed(length, &wire, &data))
    }

    fn keys(text: &str) -> Keys {
        Keys::read(text).unwrap()
    }

    fn opened(keys: &Keys, payload: &str) -> Option<String> {
        keys.open(payload.as_bytes()).map(|plain| String::from_utf8(plain).unwrap())
    }

    #[test]
    fn sm4_is_that_of_gb_t_32907() {
        // The example of its annex A: the key is the plain text, too.
        let key = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210_u128.to_be_bytes();
        let mut block = 0x681e_df34_d206_965e_86b3_e94f_536e_4246_u128.to_be_bytes();
        let cipher = Sm4::new_from_slice(&key).unwrap();
        cipher.decrypt_block(GenericArray::from_mut_slice(&mut block));
        assert_eq!(block, key);
    }

    #[test]
    fn a_sealed_frame_opens_to_the_plain_one() {
        let keys = keys(&format!("# of the station\n\nA1 {KEY}\n"));
        for parameters in [
            "DataTime=20260501080100;w01001-Rtd=7.60,w01001-Flag=N",
            "DataTime=2026050",
            "DataTime=20260501",
            "",
        ] {
            for sent in [false, true] {
                let (plain, sealed) = frames(parameters, KEY, sent);
                assert_eq!(opened(&keys, &sealed), Some(plain), "{sealed}");
            }
        }
    }

    #[test]
    fn what_stands_around_it_stays() {
        let keys = keys(&format!("A1 {KEY}"));
        let (plain, sealed) = frames("DataTime=20260501080100;w01001-Rtd=7.60", KEY, false);
        let payload = format!("noise##{sealed}{plain}##00{sealed}end");
        let want = format!("noise##{plain}{plain}##00{plain}end");
        assert_eq!(opened(&keys, &payload), Some(want));
        assert_eq!(opened(&keys, &plain), None);
    }

    #[test]
    fn of_several_keys_the_right_one_opens_and_no_other_does() {
        let other = "ffffffffffffffffffffffffffffffff";
        let (plain, sealed) = frames("DataTime=20260501080100;w01001-Rtd=7.60", KEY, false);
        let rotated = format!("A1 {other}\nA1 {KEY}");
        assert_eq!(opened(&keys(&rotated), &sealed), Some(plain));
        assert_eq!(opened(&keys(&format!("A1 {other}")), &sealed), None);
        assert_eq!(opened(&keys(&format!("B2 {KEY}")), &sealed), None);
        assert_eq!(opened(&Keys::default(), &sealed), None);
    }

    #[test]
    fn what_is_no_sealed_frame_stays_as_it_is() {
        let keys = keys(&format!("A1 {KEY}"));
        let (_, sealed) = frames("DataTime=20260501080100;w01001-Rtd=7.60", KEY, false);
        for cut in 0..sealed.trim_end().len() {
            assert_eq!(opened(&keys, &sealed[..cut]), None, "{cut}");
        }
        assert_eq!(opened(&keys, &sealed.replace(",0x", ",0y")), None);
        assert_eq!(opened(&keys, &sealed.replacen("{0x", "{0x00,0x", 1)), None);
        assert_eq!(opened(&keys, &sealed.replacen("##0", "##1", 1)), None);
    }

    #[test]
    fn a_faulty_line_is_named_and_not_shown() {
        let faults = Keys::read("A1\nB2 0123\n\nC3 zz000000000000000000000000000000").unwrap_err();
        assert_eq!(faults.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 4]);
        let many = format!("A1 {KEY}\n").repeat(KEYS_MAX + 1);
        assert_eq!(Keys::read(&many).unwrap_err(), [(9, "no more than 8 keys of one device")]);
        let shown = format!("{:?}", keys(&format!("A1 {KEY}")));
        assert_eq!(shown, "Keys(1)");
    }
}
