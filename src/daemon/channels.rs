//! Channels of notification, asked from the shell: which there are, and whether one works.

use serde::Serialize;

use crate::config::Config;
use crate::daemon::carry;
use crate::daemon::clock::Clock;
use crate::daemon::terminal::plain;
use crate::notify::{self, Channel, Sent};

/// A channel, as it is set up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Which alerts it takes.
    pub routes: Vec<String>,
    /// From which step of an escalation on it is told.
    pub step: u8,
    /// How many notifications a minute it is sent at most.
    pub per_minute: Option<u32>,
}

/// Lists the channels of a configuration.
#[must_use]
pub fn list(config: &Config) -> Vec<Listed> {
    let channels = config.channels.iter().map(|channel| Listed {
        name: channel.name.clone(),
        kind: channel.kind.word(),
        routes: channel.routes.clone(),
        step: channel.step,
        per_minute: channel.per_minute.or(channel.kind.per_minute()),
    });
    channels.collect()
}

/// What a receiver said of a test.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Tested {
    /// The channel.
    pub channel: String,
    /// `confirmed`, `later` (it is away or busy) or `refused`.
    pub outcome: &'static str,
    /// The status: of HTTP, or the exit code of a program; none if it never left.
    pub status: Option<u16>,
    /// What it said.
    pub words: String,
}

/// Sends one test to a channel, at once and not through the journal: no daemon need be at work, and
/// what fails is not tried again.
///
/// # Errors
/// There is no such channel, or its section is wrong.
pub async fn test(config: &Config, name: &str) -> anyhow::Result<Tested> {
    let Some(section) = config.channels.iter().find(|channel| channel.name == name) else {
        let names: Vec<&str> = config.channels.iter().map(|channel| &*channel.name).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        anyhow::bail!("there is no channel `{}`; there are: {names}", plain(name));
    };
    let faults = section.faults();
    if !faults.is_empty() {
        let told = faults.iter().map(|fault| {
            let (found, expected) = (&fault.found, &fault.expected);
            format!("found {found}, expected {expected}")
        });
        anyhow::bail!(told.collect::<Vec<_>>().join("\n"));
    }
    let mut channel = Channel::new(section)?;
    carry::begin(&mut channel, &config.brokers);
    let now = Clock::real().now().wall;
    let (id, body) = notify::trial(name, now, &config.home());
    let (outcome, status, words) = match notify::send(&channel, &id, &body, now).await {
        Sent::Confirmed { status, words } => ("confirmed", Some(status), words),
        Sent::Retry { words, .. } => ("later", None, words),
        Sent::Refused { status, words } => ("refused", status, words),
    };
    Ok(Tested { channel: name.to_owned(), outcome, status, words: plain(&words) })
}
