//! Payloads that are packed by gzip, zlib or zstd: known by how they begin, unpacked before any
//! format looks at them, and never to more than a stated multiple.

use std::borrow::Cow;
use std::io::Read;

use crate::domain::reject::Reason;

/// The most bytes that a payload may become.
const UNPACKED_BYTES_MAX: usize = 4 << 20;
/// The most bytes that each byte of a payload may become. Readings written as text come to a tenth
/// or twentieth of their length; what shrinks to a two-hundredth says nothing.
const UNPACKED_RATIO_MAX: usize = 200;
/// The longest window of zstd that is taken, as a power of two: that of the most bytes.
const WINDOW_LOG_MAX: u32 = 22;

/// Unpacks a payload; one that is not packed is given back as it is. No text begins as these do:
/// `1F 8B` (gzip, RFC 1952), `28 B5 2F FD` (zstd, RFC 8878), and `78` with a second byte that makes
/// both a multiple of 31 (zlib, RFC 1950), of which `78 5E` alone could be text (`x^`).
///
/// # Errors
/// The packing is damaged, or it becomes too much.
pub fn unpack(payload: &[u8]) -> Result<Cow<'_, [u8]>, Reason> {
    match payload {
        [0x1F, 0x8B, ..] => whole("gzip", payload, flate2::read::MultiGzDecoder::new(payload)),
        [0x78, 0x01 | 0x5E | 0x9C | 0xDA, ..] => {
            whole("zlib", payload, flate2::read::ZlibDecoder::new(payload))
        }
        [0x28, 0xB5, 0x2F, 0xFD, ..] => {
            let decoder = zstd::stream::read::Decoder::with_buffer(payload);
            let decoder = decoder.and_then(|mut decoder| {
                decoder.window_log_max(WINDOW_LOG_MAX)?;
                Ok(decoder)
            });
            match decoder {
                Ok(decoder) => whole("zstd", payload, decoder),
                Err(error) => Err(broken("zstd", &error)),
            }
        }
        plain => Ok(Cow::Borrowed(plain)),
    }
}

fn whole<'p>(
    format: &'static str,
    payload: &[u8],
    decoder: impl Read,
) -> Result<Cow<'p, [u8]>, Reason> {
    let bytes_max = UNPACKED_BYTES_MAX.min(payload.len().saturating_mul(UNPACKED_RATIO_MAX));
    let mut unpacked = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut unpacked).map_err(|error| broken(format, &error))?;
    if unpacked.len() > bytes_max {
        let fault = format!(
            "{} bytes become more than {bytes_max}; send fewer readings in a message, or unpacked",
            payload.len()
        );
        return Err(Reason::Malformed { format, fault: fault.into() });
    }
    Ok(Cow::Owned(unpacked))
}

fn broken(format: &'static str, error: &std::io::Error) -> Reason {
    let fault = format!("{error}; the payload was cut or damaged on its way");
    Reason::Malformed { format, fault: fault.into() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn zlib(bytes: &[u8], level: u32) -> Vec<u8> {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), Compression::new(level));
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[track_caller]
    fn refuse(payload: &[u8], words: &str) {
        let said = unpack(payload).unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    }

    const TEXT: &[u8] = b"{\"ph\":7.62}";

    #[test]
    fn each_packing_is_known_by_how_it_begins() {
        assert_eq!(&*unpack(&gzip(TEXT)).unwrap(), TEXT);
        for level in [0, 1, 6, 9] {
            assert_eq!(&*unpack(&zlib(TEXT, level)).unwrap(), TEXT);
        }
        assert_eq!(&*unpack(&zstd::encode_all(TEXT, 3).unwrap()).unwrap(), TEXT);
    }

    #[test]
    fn what_is_not_packed_stays_as_it_is() {
        for plain in [TEXT, b"", b"x", b"7.62", b"##0101", b"x=1", b"\x1F"] {
            assert_eq!(unpack(plain), Ok(Cow::Borrowed(plain)));
        }
    }

    #[test]
    fn joined_gzip_members_are_one_payload() {
        let joined = [gzip(b"{\"ph\":"), gzip(b"7.62}")].concat();
        assert_eq!(&*unpack(&joined).unwrap(), TEXT);
    }

    #[test]
    fn a_packing_that_was_cut_or_changed_says_so() {
        let whole = gzip(TEXT);
        refuse(&whole[..whole.len() - 3], "not gzip");
        let mut changed = whole.clone();
        changed[12] ^= 0x40;
        refuse(&changed, "damaged");
        let whole = zstd::encode_all(TEXT, 3).unwrap();
        refuse(&whole[..whole.len() - 1], "not zstd");
        refuse(&zlib(TEXT, 6)[..6], "not zlib");
    }

    #[test]
    fn a_payload_that_becomes_too_much_is_refused() {
        let zeros = vec![b'0'; 8 << 20];
        refuse(&gzip(&zeros), "become more than");
        refuse(&zlib(&zeros, 9), "become more than");
        refuse(&zstd::encode_all(zeros.as_slice(), 1).unwrap(), "become more than");
        refuse(&zstd::encode_all(zeros.as_slice(), 19).unwrap(), "requires too much memory");
        let rich: Vec<u8> =
            (0..6_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 9) as u8).collect();
        refuse(&gzip(&rich), &UNPACKED_BYTES_MAX.to_string());
    }
}
