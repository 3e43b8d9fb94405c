//! `weir tap`: what comes in and what weir makes of it, message by message, beside a daemon at
//! work and without touching its session.

mod evaluated;
pub(super) mod heard;
mod show;

use std::io;
use std::sync::Arc;

use crate::daemon::check::Sound;
use crate::daemon::tap::show::Tap;
use crate::daemon::terminal;
use crate::domain::input::Message;
use crate::domain::name::{NameKind, Names, NetworkId};
use crate::mqtt;
use crate::mqtt::acknowledgement::AckToken;
use crate::mqtt::connection::{Connection, Session};

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// For people, with colour on a terminal.
    Human {
        /// Whether there are colours.
        colour: bool,
    },
    /// One JSON object a message.
    Json,
}

/// Shows messages until every connection has ended or the task is dropped. Without a pattern,
/// those that the seeds subscribe to. A broker that goes is told; the others are listened to on.
///
/// # Errors
/// All brokers refuse or go away.
pub async fn tap(sound: &Sound, pattern: Option<&str>, style: Style) -> anyhow::Result<()> {
    let mut names = Names::default();
    let registry = sound
        .edition
        .compile(&mut names)
        .map_err(|faults| anyhow::anyhow!("{} faults in the seeds", faults.len()))?;
    let mut taps = tokio::task::JoinSet::new();
    for (broker, networks) in brokers(&sound.config.brokers) {
        let networks: Vec<NetworkId> = networks
            .iter()
            .map(|network| NetworkId(names.id(NameKind::Network, network)))
            .collect();
        let filters = match pattern {
            Some(pattern) => vec![pattern.to_owned()],
            None => networks.iter().flat_map(|network| registry.filters(*network)).collect(),
        };
        let view = Tap::new(Arc::clone(&registry), style, networks);
        taps.spawn_local(async move {
            let ended = listen(&broker, &filters, view).await;
            (broker, ended)
        });
    }
    let mut others = taps.len();
    while let Some(ended) = taps.join_next().await {
        let (broker, ended) = ended?;
        others -= 1;
        let fault = match ended {
            // Whoever read this has enough.
            End::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            End::Output(error) => return Err(error.into()),
            End::Broker(error) => error.to_string().replace(&broker.url, &broker.shown_url()),
        };
        let words = format!("{}: {}", broker.shown_url(), terminal::plain(&fault));
        if others == 0 {
            anyhow::bail!("no broker is left: {words}");
        }
        tracing::error!("{words}; {others} others are listened to on.");
    }
    Ok(())
}

/// Puts networks of one broker together, so that a message is shown once. Under another user a
/// broker may show others.
fn brokers(configured: &[mqtt::config::Config]) -> Vec<(mqtt::config::Config, Vec<String>)> {
    let mut found: Vec<(mqtt::config::Config, Vec<String>)> = Vec::new();
    for broker in configured {
        let same = |of: &mqtt::config::Config| of.host() == broker.host() && of.user == broker.user;
        match found.iter_mut().find(|(of, _)| same(of)) {
            Some((_, networks)) => networks.push(broker.network.clone()),
            None => found.push((broker.clone(), vec![broker.network.clone()])),
        }
    }
    found
}

/// Why a tap ends.
enum End {
    Broker(mqtt::Error),
    Output(io::Error),
}

async fn listen(broker: &mqtt::config::Config, filters: &[String], mut view: Tap) -> End {
    let session = Session::Private { purpose: "tap" };
    // Which network a message is of is looked at message by message.
    let opened = Connection::open(broker, session, filters, NetworkId(0)).await;
    let (mut connection, _) = match opened {
        Ok(opened) => opened,
        Err(error) => return End::Broker(error),
    };
    let mut answered = false;
    let acknowledger = connection.acknowledger();
    loop {
        let mut tokens = Vec::new();
        let mut broken = None;
        let mut take = |message: Message<'_>, token: Option<AckToken>| {
            tokens.extend(token);
            broken = broken.take().or_else(|| view.show(&message).err());
        };
        if let Err(error) = connection.turn(true, &mut take).await {
            return End::Broker(error);
        }
        acknowledger.acknowledge(&mut tokens);
        if !answered && let Some(refused) = connection.refused_filters() {
            answered = true;
            for (filter, reason) in refused {
                let reason = terminal::plain(reason);
                tracing::error!(filter, reason, "The broker refuses a filter.");
            }
        }
        if let Some(error) = broken {
            return End::Output(error);
        }
    }
}
