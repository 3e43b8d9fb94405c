//! Blobs of the journal: raw inputs under zstd, points as gzip members that a database is sent as
//! they are, each with a checksum that is compared before anybody uses them.

use std::io::{self, Read as _};

use flate2::{Compress, Compression, FlushCompress, Status};
use xxhash_rust::xxh3::xxh3_64;

/// The most bytes an inflated blob may have; beyond, it is damaged.
const INFLATED_MAX: u64 = 256 << 20;
/// The head of a gzip member: deflate, no name, no time, of no particular system (RFC 1952).
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Compresses, with contexts that are used again: making one costs more than a small batch.
pub struct Packer {
    zstd: zstd::bulk::Compressor<'static>,
    deflate: Compress,
    out: Vec<u8>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Packer {
    /// Makes the contexts.
    ///
    /// # Errors
    /// There is no memory for them.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            zstd: zstd::bulk::Compressor::new(1)?,
            deflate: Compress::new(Compression::fast(), false),
            out: Vec::new(),
        })
    }

    /// Compresses inputs.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn zstd(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.zstd.compress(bytes)
    }

    /// Compresses lines to one gzip member; of no lines, no member.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn gzip(&mut self, bytes: &[u8]) -> io::Result<&[u8]> {
        self.out.clear();
        if bytes.is_empty() {
            return Ok(&self.out);
        }
        self.out.extend_from_slice(&GZIP_HEAD);
        self.deflate.reset();
        loop {
            // The compressor fills spare room only, and says so by making no progress.
            self.out.reserve((bytes.len() / 4).max(1_024));
            let taken = usize::try_from(self.deflate.total_in()).unwrap_or(usize::MAX);
            let rest = bytes.get(taken..).unwrap_or_default();
            let status = self.deflate.compress_vec(rest, &mut self.out, FlushCompress::Finish)?;
            if status == Status::StreamEnd {
                break;
            }
        }
        self.out.extend_from_slice(&crc32fast::hash(bytes).to_le_bytes());
        self.out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        Ok(&self.out)
    }
}

/// Gives a blob's checksum, in the type that SQLite keeps.
pub(super) fn sum(bytes: &[u8]) -> i64 {
    xxh3_64(bytes).cast_signed()
}

/// Inflates what [`Packer::zstd`] made.
pub(super) fn unzstd(bytes: &[u8]) -> io::Result<Vec<u8>> {
    unzstd_within(bytes, INFLATED_MAX)
}

fn unzstd_within(bytes: &[u8], bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(bytes)?;
    decoder.take(bytes_max + 1).read_to_end(&mut out)?;
    if out.len() as u64 > bytes_max {
        return Err(io::Error::other("it inflates to more than any batch holds"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_gzip_and_may_be_joined() {
        let mut packer = Packer::new().unwrap();
        let long: String = (0..20_000).map(|x| format!("water,station=s{x} ph=7 {x}\n")).collect();
        let mut joined = packer.gzip(long.as_bytes()).unwrap().to_vec();
        joined.extend_from_slice(packer.gzip(b"a b=1 1\n").unwrap());
        let mut read = String::new();
        flate2::read::MultiGzDecoder::new(joined.as_slice()).read_to_string(&mut read).unwrap();
        assert_eq!(read, format!("{long}a b=1 1\n"));
        assert!(packer.gzip(b"").unwrap().is_empty());
    }

    #[test]
    fn what_inflates_without_end_is_damaged() {
        let packed = Packer::new().unwrap().zstd(&[7; 100_000]).unwrap();
        assert_eq!(unzstd_within(&packed, 100_000).unwrap().len(), 100_000);
        assert!(unzstd_within(&packed, 99_999).is_err());
        // The longest payload that may be configured, a batch that is nearly full, and all heads.
        let longest = (64_u64 << 20) + (4 << 20) + (1 << 20);
        assert!(INFLATED_MAX > 2 * longest);
    }

    #[test]
    fn inputs_come_back() {
        let mut packer = Packer::new().unwrap();
        let packed = packer.zstd(&[7; 100_000]).unwrap();
        assert!(packed.len() < 1_000);
        assert_eq!(unzstd(&packed).unwrap(), [7; 100_000]);
        assert!(unzstd(&packed[..packed.len() / 2]).is_err());
    }

    #[test]
    fn a_blob_that_inflates_without_end_is_damaged() {
        let mut packer = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        for _ in 0..=INFLATED_MAX >> 20 {
            std::io::Write::write_all(&mut packer, &[0; 1 << 20]).unwrap();
        }
        assert!(unzstd(&packer.finish().unwrap()).is_err());
    }
}
