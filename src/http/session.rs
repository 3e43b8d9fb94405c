//! Who is logged in. Of what a browser holds only the digest is kept, in memory and in a file, so
//! that a restart of weir logs nobody out.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::domain::time::{HOUR, MINUTE, Timestamp};
use crate::http::account::{self, Account};
use crate::http::{Config, password};

/// How many sessions there are at once; for one more the oldest ends.
pub(super) const SESSIONS_MAX: usize = 400;
/// How far what the file says of the last request may be behind.
const NOTED_EVERY_MS: i64 = 5 * MINUTE;

/// A session.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    /// The digest of what the browser holds.
    digest: String,
    person: String,
    /// What the account's password was told by: with another one the session is over.
    stamp: String,
    /// When it began, and when its last request came, ms since 1970.
    began: i64,
    seen: i64,
}

/// The sessions there are, in the order in which they began.
#[derive(Debug)]
pub(super) struct Sessions {
    file: Option<PathBuf>,
    lasts_ms: i64,
    idle_ms: i64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    sessions: Vec<Session>,
    /// When the file was written.
    noted: i64,
}

impl Sessions {
    /// Reads those of before a restart.
    pub(super) fn open(config: &Config) -> Self {
        let file = config.data_folder.as_ref().map(|folder| folder.join("sessions.json"));
        let text = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        let sessions: Vec<Session> = match text.as_deref().map(serde_json::from_str) {
            Some(Ok(sessions)) => sessions,
            Some(Err(_)) => {
                tracing::warn!("sessions.json can't be read: everybody logs in again.");
                Vec::new()
            }
            None => Vec::new(),
        };
        let hours = |hours: u32| i64::from(hours) * HOUR;
        let (lasts_ms, idle_ms) = (hours(config.session_h), hours(config.session_idle_h));
        Self { file, lasts_ms, idle_ms, held: Mutex::new(Held { sessions, noted: 0 }) }
    }

    /// Begins a session and gives what the browser is to hold.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn begin(&self, account: &Account, now: Timestamp) -> std::io::Result<String> {
        let id = password::hex(&password::random()?);
        let (digest, person) = (password::digest(&id), account.name.clone());
        let at = now.millis();
        let session = Session { digest, person, stamp: account.stamp(), began: at, seen: at };
        let mut held = self.lock();
        held.sessions.retain(|one| self.lasts(one, at));
        let over = (held.sessions.len() + 1).saturating_sub(SESSIONS_MAX);
        held.sessions.drain(..over);
        held.sessions.push(session);
        Ok(id)
    }

    /// Finds the account of a session, and notes that it was seen. A session whose account is gone
    /// or has another password ends.
    pub(super) fn find<'a>(
        &self,
        id: &str,
        account: impl FnOnce(&str) -> Option<&'a Account>,
        now: Timestamp,
    ) -> Option<&'a Account> {
        let digest = password::digest(id);
        let mut held = self.lock();
        let at = held.sessions.iter().position(|one| one.digest == digest)?;
        let session = held.sessions.get_mut(at)?;
        let account = account(&session.person).filter(|is| is.stamp() == session.stamp);
        if account.is_none() || !self.lasts(session, now.millis()) {
            held.sessions.remove(at);
            return None;
        }
        session.seen = session.seen.max(now.millis());
        account
    }

    /// Ends a session.
    pub(super) fn end(&self, id: &str) {
        let digest = password::digest(id);
        self.lock().sessions.retain(|one| one.digest != digest);
    }

    /// Says whether the file is behind.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let mut held = self.lock();
        let due = now.millis() - held.noted >= NOTED_EVERY_MS;
        if due {
            held.noted = now.millis();
        }
        due
    }

    /// Writes the file. Where that fails, a restart logs people out, and nothing worse.
    pub(super) fn note(&self) {
        let Some(file) = &self.file else { return };
        // Held while it is written, so that an older state never follows a newer one.
        let held = self.lock();
        let text = serde_json::to_vec(&held.sessions).unwrap_or_default();
        if let Err(error) = account::write_closed(file, &text) {
            tracing::warn!(%error, "sessions.json can't be written.");
        }
    }

    /// Says whether it is not over yet, by either end. A clock that was set back ends none.
    fn lasts(&self, session: &Session, now: i64) -> bool {
        now - session.began < self.lasts_ms && now - session.seen < self.idle_ms
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives what the forms of somebody must bring along: it follows from what only they hold, so that
/// it need not be kept.
pub(super) fn form_token(secret: &[u8], person: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(b"form of ");
    mac.update(person.as_bytes());
    password::hex(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::account::Accounts;
    use crate::http::visit::Role;

    const NOON: Timestamp = Timestamp(1_780_272_000_000);

    fn accounts() -> Accounts {
        let mut all = Accounts::default();
        all.add("li.na", Role::Operate, Some("willow-river")).unwrap();
        all.add("wang", Role::View, None).unwrap();
        all
    }

    fn at(minutes: i64) -> Timestamp {
        NOON.plus(minutes * MINUTE)
    }

    fn found(sessions: &Sessions, id: &str, all: &Accounts, minutes: i64) -> Option<String> {
        sessions.find(id, |name| all.of(name), at(minutes)).map(|account| account.name.clone())
    }

    #[test]
    fn a_session_ends_by_idling_by_its_length_and_by_logging_out() {
        let (all, sessions) = (accounts(), Sessions::open(&Config::default()));
        let begin = || sessions.begin(all.of("li.na").unwrap(), NOON).unwrap();
        let (idle, busy, out) = (begin(), begin(), begin());
        assert_eq!(idle.len(), 64);
        assert_eq!(found(&sessions, &idle, &all, 239).as_deref(), Some("li.na"));
        assert_eq!(found(&sessions, &idle, &all, 239 + 240), None);
        assert_eq!(found(&sessions, &idle, &all, 0), None, "over is over");
        for hour in 0..13 {
            assert!(found(&sessions, &busy, &all, hour * 60).is_some(), "{hour}");
        }
        assert_eq!(found(&sessions, &busy, &all, 13 * 60), None);
        sessions.end(&out);
        assert_eq!(found(&sessions, &out, &all, 0), None);
        assert_eq!(found(&sessions, "", &all, 0), None);
    }

    #[test]
    fn another_password_and_a_removed_account_end_sessions() {
        let (mut all, sessions) = (accounts(), Sessions::open(&Config::default()));
        let first = sessions.begin(all.of("li.na").unwrap(), NOON).unwrap();
        let second = sessions.begin(all.of("wang").unwrap(), NOON).unwrap();
        all.set_role("li.na", Role::Admin).unwrap();
        assert!(found(&sessions, &first, &all, 1).is_some(), "another role ends nothing");
        all.set_password("li.na", "another-river").unwrap();
        assert_eq!(found(&sessions, &first, &all, 1), None);
        all.remove("wang").unwrap();
        assert_eq!(found(&sessions, &second, &all, 1), None);
        all.add("wang", Role::Admin, None).unwrap();
        assert_eq!(found(&sessions, &second, &all, 1), None, "nor does it come back");
    }

    #[test]
    fn a_restart_logs_nobody_out_and_the_file_lets_nobody_in() {
        let folder = tempfile::TempDir::new().unwrap();
        let data_folder = Some(folder.path().to_owned());
        let config = Config { data_folder, ..Config::default() };
        let (all, sessions) = (accounts(), Sessions::open(&config));
        let id = sessions.begin(all.of("li.na").unwrap(), NOON).unwrap();
        sessions.note();
        let text = std::fs::read_to_string(folder.path().join("sessions.json")).unwrap();
        assert!(text.contains("li.na") && !text.contains(&id), "{text}");
        let again = Sessions::open(&config);
        assert!(found(&again, &id, &all, 1).is_some());
        let digest = password::digest(&id);
        assert_eq!(found(&again, &digest, &all, 1), None);
        std::fs::write(folder.path().join("sessions.json"), "[{").unwrap();
        assert_eq!(found(&Sessions::open(&config), &id, &all, 1), None);
    }

    #[test]
    fn beyond_the_most_sessions_the_oldest_ends() {
        let (all, sessions) = (accounts(), Sessions::open(&Config::default()));
        let account = all.of("li.na").unwrap();
        let begin = || sessions.begin(account, NOON).unwrap();
        let (first, second) = (begin(), begin());
        for _ in 1..SESSIONS_MAX {
            begin();
        }
        assert_eq!(found(&sessions, &first, &all, 1), None);
        assert!(found(&sessions, &second, &all, 1).is_some());
    }

    #[test]
    fn the_token_of_a_form_is_of_one_session_and_one_person() {
        let token = form_token(b"a session", "li.na");
        assert_eq!(token, form_token(b"a session", "li.na"));
        assert_ne!(token, form_token(b"another", "li.na"));
        assert_ne!(token, form_token(b"a session", "wang"));
    }
}
