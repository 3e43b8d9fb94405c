//! From the address of a broker to its CONNACK.

use std::time::Duration;

use bytes::BytesMut;
use secrecy::SecretString;

use crate::domain::time::Timestamp;
use crate::mqtt::Error;
use crate::mqtt::config::Config;
use crate::mqtt::connection::broken;
use crate::mqtt::presence::Words;
use crate::mqtt::stream::Stream;
use crate::mqtt::wire::{Greeting, Packet, Pen, Welcome, Wire};

/// Whose session it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Session {
    /// The daemon's: the broker keeps what arrives while it is away.
    Persistent {
        /// When it begins, for those who are told.
        now: Timestamp,
    },
    /// A tool's: a client id of its own and nothing kept, so that it never throws the daemon off
    /// or empties its queue.
    Private {
        /// What it is for, part of the client id.
        purpose: &'static str,
    },
}

/// What the broker said at the beginning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Whether it knew the session. If not, what came while weir was away is lost.
    pub session_present: bool,
}

/// A line on which the broker has let weir in.
#[derive(Debug)]
pub(super) struct Greeted {
    pub(super) stream: Stream,
    pub(super) wire: Wire,
    pub(super) pen: Pen,
    pub(super) opened: Opened,
    pub(super) keep_alive: Duration,
}

/// Connects and waits for the CONNACK.
pub(super) async fn greet(
    config: &Config,
    session: Session,
    will: Option<&Words>,
) -> Result<Greeted, Error> {
    let (pen, mut wire) = (Pen(config.protocol), Wire::new(config));
    let password = password(config)?;
    let clean = !matches!(session, Session::Persistent { .. });
    let client_id = match session {
        Session::Persistent { .. } => config.client_id.clone(),
        Session::Private { purpose } => {
            format!("{}-{purpose}-{:08x}", config.client_id, fastrand::u32(..))
        }
    };
    let greeting = Greeting {
        client_id: &client_id,
        clean,
        session_expiry_s: if clean { 0 } else { config.session_expiry_s },
        receive_maximum: config.receive_maximum,
        keep_alive_s: config.keep_alive_s,
        will: will.map(|words| (&*words.topic, &*words.offline)),
        login: config.user.as_deref().map(|user| (user, &password)),
    };
    let mut out = BytesMut::new();
    pen.connect(&greeting, &mut out).map_err(Error::Unreadable)?;
    let mut stream = Stream::connect(config).await?;
    stream.write(&out).await.map_err(broken)?;
    let welcome = match answer(&mut stream, &mut wire).await? {
        Packet::Connected(Welcome { refused: Some(reason), .. }) | Packet::Farewell(reason) => {
            return Err(Error::Refused { client_id, reason });
        }
        Packet::Connected(welcome) => welcome,
        Packet::Publish(_)
        | Packet::Release(_)
        | Packet::Pong
        | Packet::Subscribed { .. }
        | Packet::Other => {
            return Err(Error::Unreadable("something else than a CONNACK".to_owned()));
        }
    };
    // 0 is "none asked for": our own holds, as a sign of life for us.
    let keep_alive_s =
        welcome.keep_alive_s.filter(|seconds| *seconds > 0).unwrap_or(config.keep_alive_s);
    let opened = Opened { session_present: welcome.session_present };
    let keep_alive = Duration::from_secs(keep_alive_s.into());
    Ok(Greeted { stream, wire, pen, opened, keep_alive })
}

/// Waits for the first packet.
async fn answer(stream: &mut Stream, wire: &mut Wire) -> Result<Packet, Error> {
    loop {
        if let Some(packet) = wire.next().map_err(Error::Unreadable)? {
            return Ok(packet);
        }
        if stream.read(&mut wire.buffer).await.map_err(broken)? == 0 {
            return Err(Error::Broken("closed by the broker".to_owned()));
        }
    }
}

pub(super) fn password(config: &Config) -> Result<SecretString, Error> {
    if let Some(path) = &config.password_file {
        let text = std::fs::read_to_string(path).map_err(|error| Error::File {
            key: "password_file",
            path: path.clone(),
            fault: error.to_string(),
        })?;
        return Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])));
    }
    match &config.password_env {
        None => Ok(SecretString::from("")),
        Some(name) => std::env::var(name)
            .map(SecretString::from)
            .map_err(|_| Error::Environment { name: name.clone() }),
    }
}
