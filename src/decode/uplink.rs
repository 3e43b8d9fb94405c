//! What the network servers of LoRaWAN have in common: a message of a device comes once, however
//! often it is handed on, and carries how it was received.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::decode::{Announced, Context};
use crate::domain::name::NetworkId;

/// How many messages of a device are remembered.
const UPLINKS_MAX: usize = 8;

/// The last messages of devices, by network and device.
pub type Uplinks = BTreeMap<(NetworkId, Box<str>), VecDeque<u64>>;

/// Says whether a message of the device was taken before, and remembers it.
pub(super) fn is_repeated(
    context: Context<'_>,
    announced: &mut Arc<Announced>,
    identity: &[&[u8]],
) -> bool {
    let parts = identity.iter().map(|part| xxh3_64(part));
    let one = parts.fold(0, |all: u64, part| all.rotate_left(21) ^ part);
    let key = (context.rule.network, Box::from(context.device_name));
    if announced.uplinks.get(&key).is_some_and(|held| held.contains(&one)) {
        return true;
    }
    let held = Arc::make_mut(announced).uplinks.entry(key).or_default();
    if held.len() >= UPLINKS_MAX {
        held.pop_front();
    }
    held.push_back(one);
    false
}
