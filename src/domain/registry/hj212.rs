//! How a device speaks HJ 212: its flag in the frames doesn't say, so the seeds do.

use crate::domain::registry::VocabularyIndex;

/// Which text of the protocol a device follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hj212Edition {
    /// HJ/T 212-2005.
    Of2005,
    /// HJ 212-2017.
    #[default]
    Of2017,
    /// The variant of surface-water stations (ST 21), in which 2061 to 2066 mean other things.
    SurfaceWater,
    /// HJ 212-2025.
    Of2025,
}

impl Hj212Edition {
    /// Every edition with its word in the seeds.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("2005", Self::Of2005),
        ("2017", Self::Of2017),
        ("surface-water", Self::SurfaceWater),
        ("2025", Self::Of2025),
    ];

    /// Gives the vocabulary of its marks.
    #[must_use]
    pub fn vocabulary(self) -> &'static str {
        match self {
            Self::Of2005 => "hj212-2005",
            Self::Of2017 => "hj212-2017",
            Self::SurfaceWater => "surface-water",
            Self::Of2025 => "hj212-2025",
        }
    }

    /// Says whether a command brings results of a check of the instrument.
    #[must_use]
    pub fn is_control(self, command: u16) -> bool {
        match self {
            Self::Of2005 | Self::Of2017 => false,
            Self::SurfaceWater => (2062..=2066).contains(&command),
            Self::Of2025 => command == 2062,
        }
    }
}

/// Which check sum a device sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hj212Crc {
    /// That of the standard.
    #[default]
    Standard,
    /// CRC-16/MODBUS with its bytes swapped, or that of the standard.
    ModbusSwapped,
}

/// Which end of its period `DataTime` names, of the commands that bring values of a period.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hj212Time {
    /// The start, as the standard says.
    #[default]
    Start,
    /// The instant at which the period is over.
    Instant,
}

/// How a device speaks HJ 212: `options` of `devices.csv`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hj212 {
    /// The text it follows.
    pub edition: Hj212Edition,
    /// The check sum it sends.
    pub crc: Hj212Crc,
    /// What its `DataTime` is.
    pub time: Hj212Time,
    /// The vocabulary of its marks, if `device_marks.csv` has that of its edition.
    pub marks: Option<VocabularyIndex>,
}
