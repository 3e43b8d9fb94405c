//! A simulated Shenyang: every device of the example seeds, with day and night in its values, and
//! a story. Nothing in it was measured. All of it follows from the seed number and the time, so
//! that the same number gives the same world, however it is asked.
//!
//! | minute | what happens |
//! | --- | --- |
//! | 8 to 38 | a wave of pollution passes Puhe at Huishan: oxygen below Class IV |
//! | 12 | a message of sonde-03 is cut off |
//! | 15 on | the turbidity probe of sonde-09 (Nanyun, Longtan) sticks: a flat line |
//! | 20 | sonde-11 sends one message twice |
//! | 25 | sonde-07 sends a text where its pH belongs |
//! | 30 to 60 | sonde-05 (Hunhe, Dongling) falls silent |
//! | 40 | a device speaks that nobody knows |
//! | 45 to 90 | the cable of the pH probe of sonde-10 is loose: 14.2, outside its span |
//! | 103, 173, 243 | the wave reaches Daoyi, Pudong and Pingluo, weaker each time |

mod payload;

use crate::demo::world::payload::Devices;
use crate::domain::time::{HOUR, MINUTE, Timestamp};
use crate::simulate::weather;

/// When the wave begins to pass each station of Puhe, min, and how far down oxygen goes, mg/L.
const WAVE: [(&str, i64, f64); 4] =
    [("sonde-01", 8, 1.9), ("sonde-02", 103, 2.2), ("sonde-03", 173, 2.5), ("sonde-04", 243, 2.7)];
/// How long it passes.
const WAVE_MINUTES: i64 = 30;
/// The zone of the world, ms east.
const EAST: i64 = 8 * HOUR;

/// What a station publishes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Publication {
    /// The network: `rivers` or `parks`.
    pub network: &'static str,
    /// The topic.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// When.
    pub at: Timestamp,
}

/// The world, and how far it has been told.
#[derive(Clone, Debug)]
pub struct World {
    weather: Weather,
    devices: Devices,
}

impl World {
    /// Makes the world of a number, from a time on.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp) -> Self {
        Self { weather: Weather { seed, start }, devices: Devices::new(start) }
    }

    /// Tells everything that was published since the last call, in order of time.
    pub fn until(&mut self, now: Timestamp, tell: &mut dyn FnMut(Publication)) {
        while let Some((device, at)) = self.devices.next_until(now) {
            device.publish(&self.weather, at, tell);
        }
    }
}

/// What is true in the world at a time, before any sensor sees it.
#[derive(Clone, Copy, Debug)]
struct Weather {
    seed: u64,
    start: Timestamp,
}

impl Weather {
    /// Gives the minute of the story.
    fn minute(&self, at: Timestamp) -> i64 {
        at.since(self.start).div_euclid(MINUTE)
    }

    /// Gives the height of the sun, -1 at midnight to 1 at noon.
    fn sun(at: Timestamp) -> f64 {
        weather::sun(at)
    }

    /// Gives noise of about -1 to 1 that belongs to a name and a time.
    fn noise(&self, name: &str, at: Timestamp) -> f64 {
        weather::noise(self.seed, name, at)
    }

    /// Gives a constant of about -1 to 1 that belongs to a name: no two stations are alike.
    fn trait_of(&self, name: &str) -> f64 {
        self.noise(name, Timestamp::default())
    }

    /// Gives how much of the wave is at a device, 0 to 1.
    fn wave(&self, device: &str, at: Timestamp) -> f64 {
        let Some((_, from, _)) = WAVE.iter().find(|(name, _, _)| *name == device) else {
            return 0.0;
        };
        let into = at.since(self.start) as f64 / MINUTE as f64 - *from as f64;
        let share = into / WAVE_MINUTES as f64;
        // Steep at both ends and flat in between.
        if (0.0..1.0).contains(&share) { (share.min(1.0 - share) * 12.0).min(1.0) } else { 0.0 }
    }

    /// Gives dissolved oxygen at a device, mg/L.
    fn oxygen(&self, device: &str, at: Timestamp) -> f64 {
        let calm = 6.4 + 0.9 * self.trait_of(device) + 0.6 * Self::sun(at);
        let low = WAVE.iter().find(|(name, _, _)| *name == device).map_or(calm, |wave| wave.2);
        let wave = self.wave(device, at);
        calm + (low - calm) * wave + 0.05 * self.noise(device, at)
    }
}
