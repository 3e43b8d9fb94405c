//! Messages that were turned away, as they are told to whoever is on duty.

use serde::Serialize;

use crate::http::view::Text;
use crate::http::view::weir::LetterCount;

/// So many messages of one device that were turned away for one reason.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LettersView {
    /// How many, of which device, by which reason.
    pub count: LetterCount,
    /// Where the device stands, by its name in tags; empty where nobody knows.
    pub station_id: String,
    /// The same in words.
    pub station: Text,
    /// Why, in words of whoever is on duty.
    pub why: Text,
    /// Whether running them again can come to anything else.
    pub mendable: bool,
    /// Whether there were more of which only the number of all times is kept.
    pub more: bool,
    /// The number of the newest one that is kept; nothing where none is.
    pub newest: Option<i64>,
}

/// One message that was turned away, down to its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LetterPage {
    /// Its number.
    pub id: i64,
    /// When it arrived, in the zone of weir.
    pub at: String,
    /// That zone.
    pub zone: String,
    /// The network by which it came.
    pub network: String,
    /// Its topic.
    pub topic: String,
    /// The device, empty if unknown.
    pub device: String,
    /// Where that stands, by its name in tags; empty where nobody knows.
    pub station_id: String,
    /// The same in words.
    pub station: Text,
    /// The channel, empty if it is the whole message.
    pub channel: String,
    /// Why it was turned away, in words of whoever is on duty.
    pub why: Text,
    /// What running it again can do.
    pub chance: Text,
    /// Whether it can come to anything else.
    pub mendable: bool,
    /// Who turned it away, for technicians.
    pub stage: String,
    /// The reason in a word, for technicians.
    pub code: String,
    /// The reason in a sentence, for technicians.
    pub words: String,
    /// When it was run again and ended well; empty where it was not.
    pub retried: String,
    /// How many bytes the payload has.
    pub bytes: usize,
    /// The payload as text; empty where it is none.
    pub text: String,
    /// Byte by byte, sixteen a row: where they begin, in hex, as letters.
    pub hex: Vec<[String; 3]>,
    /// Whether the beginning alone is shown.
    pub cut: bool,
    /// The one before of the same device and reason.
    pub before: Option<i64>,
    /// The one after.
    pub after: Option<i64>,
}
