//! What values of an invented world follow from: the hour of the day, and chance that belongs to a
//! name and a time, so that the same number gives the same world, however it is asked.

use std::f64::consts::TAU;

use crate::domain::time::{DAY, HOUR, Timestamp};

/// The zone of the world, ms east.
pub(super) const EAST: i64 = 8 * HOUR;

/// Gives the height of the sun, -1 at midnight to 1 at noon.
#[must_use]
pub fn sun(at: Timestamp) -> f64 {
    let day = (at.millis() + EAST).rem_euclid(DAY) as f64 / DAY as f64;
    -(day * TAU).cos()
}

/// Gives noise of about -1 to 1 that belongs to a name and a time.
#[must_use]
pub fn noise(seed: u64, name: &str, at: Timestamp) -> f64 {
    let mut key = name.as_bytes().to_vec();
    key.extend(at.millis().to_le_bytes());
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(&key, seed);
    // The mean of four uniform numbers is near enough to a bell.
    let parts = (0..4).map(|part| ((hash >> (part * 16)) & 0xffff) as f64 / 65_535.0);
    parts.sum::<f64>() / 2.0 - 1.0
}

/// Rounds to decimals, as a sensor's resolution does.
#[must_use]
pub fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}
