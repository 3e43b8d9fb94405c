//! What systemd is told where it started weir: ready, alive, how it does, stopping. Elsewhere
//! nobody is told anything. The words are those of `sd_notify(3)`, a datagram each.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::daemon::heartbeat::{unwell, words};
use crate::daemon::status::Status;

/// How often it is looked how weir does.
const LOOK: Duration = Duration::from_secs(5);
/// No watchdog is told more often.
const LOOK_LEAST: Duration = Duration::from_millis(50);
/// For how long weir waits to be heard where a word must not be lost.
const HEARD_IN: Duration = Duration::from_secs(2);
/// The most of a status that is told, bytes: systemd takes no datagram without end.
const STATUS_BYTES_MAX: usize = 1_024;

/// Says that weir is ready.
pub fn ready() {
    tell("READY=1", Some(HEARD_IN));
}

/// Says that weir stops.
pub fn stopping() {
    let words = "STOPPING=1\nSTATUS=stopping: what was read is committed first";
    tell(words, Some(HEARD_IN));
}

/// Tells how weir does and, where systemd watches, that it lives; a thread that is stuck ends that,
/// and systemd starts weir anew. A full journal does not: a start makes no room.
pub async fn watch(status: Arc<Status>, stuck_after: Duration) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let watchdog = watchdog(|name| std::env::var(name).ok(), std::process::id());
    // Twice in the time that systemd waits, as its manual advises.
    let every = watchdog.map_or(LOOK, |longest| (longest / 2).clamp(LOOK_LEAST, LOOK));
    let (mut said, mut stuck_before) = (String::new(), false);
    loop {
        let stuck = status.pulse.stuck(stuck_after);
        if stuck.is_none() && watchdog.is_some() {
            tell("WATCHDOG=1", None);
        }
        if let Some(words) = stuck.as_ref().filter(|_| !stuck_before) {
            tracing::error!("weir is stuck: {words}. A watchdog hears of it no more.");
        }
        stuck_before = stuck.is_some();
        let words = unwell(&status, stuck_after).unwrap_or_else(|| words(&status));
        if words != said && !status.stopping.load(Ordering::Acquire) {
            tell(&line(&words), None);
            said = words;
        }
        tokio::time::sleep(every).await;
    }
}

/// Writes a status as one line.
fn line(words: &str) -> String {
    let end = words.floor_char_boundary(STATUS_BYTES_MAX);
    let words = words.get(..end).unwrap_or_default();
    format!("STATUS={}", words.replace(|one: char| one.is_control(), " "))
}

/// Gives the time in which systemd wants to hear that weir lives, if it does.
fn watchdog(variable: impl Fn(&str) -> Option<String>, process: u32) -> Option<Duration> {
    let meant = variable("WATCHDOG_PID").is_none_or(|id| id == process.to_string());
    let micros = variable("WATCHDOG_USEC")?.parse().ok().filter(|micros| *micros > 0)?;
    meant.then(|| Duration::from_micros(micros))
}

/// Tells and, where a time is given, waits for so long until there is room for it: a manager that
/// does not listen must not hold weir up.
fn tell(words: &str, longest: Option<Duration>) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(name.as_bytes(), words, longest) {
        tracing::debug!(%error, "systemd does not hear weir.");
    }
}

fn send(name: &[u8], words: &str, longest: Option<Duration>) -> io::Result<()> {
    // A name that begins with @ is none of a file.
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    match longest {
        Some(longest) => socket.set_write_timeout(Some(longest))?,
        None => socket.set_nonblocking(true)?,
    }
    socket.send_to_addr(words.as_bytes(), &address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], want: Option<Duration>) {
        let variable = |name: &str| {
            let found = variables.iter().find(|(one, _)| *one == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(watchdog(variable, 7), want);
    }

    #[test]
    fn a_watchdog_is_told_only_where_one_is_and_means_this_process() {
        check(&[], None);
        check(&[("WATCHDOG_USEC", "60000000")], Some(Duration::from_secs(60)));
        check(&[("WATCHDOG_USEC", "2000000"), ("WATCHDOG_PID", "7")], Some(Duration::from_secs(2)));
        check(&[("WATCHDOG_USEC", "2000000"), ("WATCHDOG_PID", "8")], None);
        check(&[("WATCHDOG_USEC", "0")], None);
        check(&[("WATCHDOG_USEC", "soon")], None);
    }

    #[test]
    fn a_status_is_one_line_and_has_an_end() {
        assert_eq!(line("one\ntwo"), "STATUS=one two");
        let long = line(&"河".repeat(1_000));
        assert_eq!(long.len(), "STATUS=".len() + 341 * 3);
    }

    #[test]
    fn who_does_not_listen_holds_nobody_up() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let name = path.as_os_str().as_bytes();
        let full = (0..100_000).find_map(|_| send(name, "WATCHDOG=1", None).err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
        let error = send(name, "READY=1", Some(Duration::from_millis(20))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let mut word = [0; 64];
        let length = listener.recv(&mut word).unwrap();
        assert_eq!(&word[..length], b"WATCHDOG=1");
        send(name, "READY=1", Some(Duration::from_secs(1))).unwrap();
    }

    #[test]
    fn a_name_that_is_no_file_is_found() {
        let name = format!("weir-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        send(format!("@{name}").as_bytes(), "READY=1", None).unwrap();
        let mut word = [0; 64];
        let length = listener.recv(&mut word).unwrap();
        assert_eq!(&word[..length], b"READY=1");
    }
}
