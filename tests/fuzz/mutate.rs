//! Inputs that are nearly those of the corpus: what a search by coverage does, without coverage.

/// Numbers at which something tends to change, as bytes of both orders are made of them.
const NUMBERS: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x000f_ffff_ffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// The longest input that is made.
const BYTES_MAX: usize = 4_096;

/// The words that formats are made of, shared with the search by coverage.
const WORDS: &str = include_str!("../../fuzz/words.dict");

/// Makes inputs, the same for the same seed and corpus.
#[derive(Debug)]
pub(crate) struct Mutator<'a> {
    random: fastrand::Rng,
    corpus: &'a [Vec<u8>],
    words: Vec<Vec<u8>>,
}

impl<'a> Mutator<'a> {
    pub(crate) fn new(seed: u64, corpus: &'a [Vec<u8>]) -> Self {
        let words = WORDS.lines().filter_map(word).collect();
        Self { random: fastrand::Rng::with_seed(seed), corpus, words }
    }

    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut bytes = self.case();
        for _ in 0..=self.random.usize(..6) {
            self.change(&mut bytes);
        }
        bytes.truncate(BYTES_MAX);
        bytes
    }

    fn case(&mut self) -> Vec<u8> {
        match self.corpus.len() {
            0 => Vec::new(),
            count => self.corpus[self.random.usize(..count)].clone(),
        }
    }

    /// Gives a stretch of so many bytes, maybe of none.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let (a, b) = (self.random.usize(..=length), self.random.usize(..=length));
        // Mostly short ones, or nothing is left soon.
        let far = if self.random.u8(..4) == 0 { length } else { 8 };
        a.min(b)..a.max(b).min(a.min(b) + far)
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let place = self.random.usize(..=bytes.len());
        match self.random.u8(..10) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << self.random.u8(..8);
                }
            }
            2 => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = self.random.u8(..);
                }
            }
            3 => drop(bytes.drain(self.range(bytes.len()))),
            4 => {
                let range = self.range(bytes.len());
                let again = bytes[range].to_vec();
                bytes.splice(place..place, again);
            }
            5 => {
                let other = self.case();
                let range = self.range(other.len());
                bytes.splice(place..place, other[range].iter().copied());
            }
            6 => {
                let other = self.case();
                bytes.truncate(place);
                bytes.extend(&other[place.min(other.len())..]);
            }
            7 => {
                let number = NUMBERS[self.random.usize(..NUMBERS.len())];
                let width = [1, 2, 4, 8][self.random.usize(..4)];
                let mut number = number.to_le_bytes()[..width].to_vec();
                if self.random.bool() {
                    number.reverse();
                }
                let end = (place + width).min(bytes.len());
                bytes.splice(place..end, number);
            }
            _ => {
                let word = self.words[self.random.usize(..self.words.len())].clone();
                let over = if self.random.bool() { word.len() } else { 0 };
                let end = (place + over).min(bytes.len());
                bytes.splice(place..end, word);
            }
        }
    }
}

/// Reads a line of the dictionary: a text in quotes, with `\xNN`, `\\` and `\"`.
fn word(line: &str) -> Option<Vec<u8>> {
    let text = line.trim().strip_prefix('"')?.strip_suffix('"')?;
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match (byte, byte == b'\\') {
            (_, false) => out.push(byte),
            (_, true) => match rest.next()? {
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    let digits = std::str::from_utf8(&digits).ok()?;
                    out.push(u8::from_str_radix(digits, 16).ok()?);
                }
                plain => out.push(plain),
            },
        }
    }
    Some(out)
}
