//! The connection of a channel of MQTT: `notify` writes what is to be published and `mqtt` speaks
//! to brokers; neither knows of the other.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::domain::input::Qos;
use crate::mqtt::config::Config;
use crate::mqtt::publisher::{Manner, Publisher};
use crate::notify::Channel;
use crate::notify::mqtt::{Leaf, Parcel, Undone};

/// How often it is looked whether the broker is away while a confirmation is waited for.
const LOOK: Duration = Duration::from_millis(100);

/// Begins to carry what a channel of MQTT publishes; of another kind nothing is done.
pub fn begin(channel: &mut Channel, brokers: &[Config]) {
    let Some((network, parcels)) = channel.parcels() else { return };
    // The configuration was checked for it; without one the channel says that nobody is there.
    if let Some(broker) = brokers.iter().find(|broker| broker.network == network) {
        tokio::task::spawn_local(carry(broker.clone(), parcels));
    }
}

/// Carries parcels until nobody hands in more.
async fn carry(broker: Config, mut parcels: mpsc::Receiver<Parcel>) {
    let mut held = None;
    while let Some(Parcel { leaves, mut done }) = parcels.recv().await {
        let outcome = tokio::select! {
            outcome = publish(&broker, &mut held, leaves) => outcome,
            // Who asked has given up and will ask again.
            () = done.closed() => Err(Undone::Away(String::new())),
        };
        if outcome.is_err()
            && let Some(publisher) = held.take()
        {
            // What it still holds is handed in anew, by a connection that holds nothing.
            Publisher::abandon(publisher);
        }
        done.send(outcome).ok();
    }
    if let Some(publisher) = held {
        publisher.close().await;
    }
}

async fn publish(
    broker: &Config,
    held: &mut Option<Publisher>,
    leaves: Vec<Leaf>,
) -> Result<(), Undone> {
    let publisher = match held {
        Some(publisher) => publisher,
        None => {
            let joined = Publisher::join(broker, Manner::default());
            let (publisher, _) = joined.map_err(|error| Undone::Refused(error.to_string()))?;
            held.insert(publisher)
        }
    };
    for Leaf { topic, payload, retain } in leaves {
        let handed = publisher.publish(&topic, payload, Qos::AtLeastOnce, retain).await;
        handed.map_err(|error| Undone::Away(error.to_string()))?;
    }
    loop {
        tokio::select! {
            () = publisher.flush() => break,
            () = tokio::time::sleep(LOOK) => {
                if let Some(fault) = publisher.fault() {
                    return Err(Undone::Away(fault.to_string()));
                }
            }
        }
    }
    match publisher.refusal() {
        Some(reason) => Err(Undone::Refused(format!("the broker refuses it: {reason}"))),
        None => Ok(()),
    }
}
