//! The accounts of the page: who has one and what they may do. Their file is written whole beside
//! itself and renamed, so that a weir at work reads the old one or the new one.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::http::password;
use crate::http::visit::Role;

/// How many accounts there may be.
pub const USERS_MAX: usize = 200;
/// How many tokens an account may have.
pub const TOKENS_MAX: usize = 16;
/// How long a name or the label of a token may be, bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// How long the file may be, bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// How often the file is looked at for changes, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What a token begins with, so that one that got lost is known for what it is.
const TOKEN_BEGINS: &str = "weir_";
const HEAD: &str = "# The accounts of weir's page. `weir user` writes this file, also while weir \
    runs.\n\n";

/// The accounts there are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    #[serde(default, rename = "user")]
    users: Vec<Account>,
}

/// An account.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its name, by which all that is done is booked.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// What its password is told by; nothing where it has none and comes by token or proxy only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(default, rename = "token", skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<Token>,
}

/// A token of an account.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    label: String,
    digest: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What secrets are told by is nobody's affair either.
        let (name, role) = (&self.name, &self.role);
        out.debug_struct("Account").field("name", name).field("role", role).finish_non_exhaustive()
    }
}

impl Account {
    pub(super) fn hash(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// Says whether it has a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Gives the labels of its tokens.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().map(|token| token.label.as_str())
    }

    /// Gives what changes with its password, by which sessions know that it did.
    pub(super) fn stamp(&self) -> String {
        password::digest(self.password.as_deref().unwrap_or_default())
    }
}

impl Accounts {
    /// Reads the accounts of a file; there are none where there is no file.
    ///
    /// # Errors
    /// It can't be read, or something in it is wrong: all of that.
    pub fn read(path: &Path) -> Result<Self, String> {
        let said = |error: &dyn fmt::Display| format!("`{}`: {error}", path.display());
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(said(&error)),
        };
        let mut text = String::new();
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| said(&error))?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(said(&"more than 1 MiB"));
        }
        // The words of the parser may repeat the line, and what stands in it.
        let accounts: Self = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            said(&format!("line {}: {}", before.matches('\n').count() + 1, error.message()))
        })?;
        let faults = accounts.faults();
        if faults.is_empty() { Ok(accounts) } else { Err(said(&faults.join("; "))) }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.users.len() > USERS_MAX {
            faults.push(format!("{} users, at most {USERS_MAX}", self.users.len()));
        }
        let mut names = BTreeSet::new();
        for user in &self.users {
            let name = &user.name;
            faults.extend(name_fault(name).map(|fault| format!("user `{name}`: {fault}")));
            if !names.insert(name) {
                faults.push(format!("user `{name}` twice"));
            }
            let fault = user.password.as_deref().and_then(password::fault);
            faults.extend(fault.map(|fault| format!("password of user `{name}`: {fault}")));
            if user.tokens.len() > TOKENS_MAX {
                faults.push(format!("more than {TOKENS_MAX} tokens of user `{name}`"));
            }
            let is_digest = |token: &Token| {
                token.digest.len() == 64 && token.digest.bytes().all(|one| one.is_ascii_hexdigit())
            };
            if !user.tokens.iter().all(is_digest) {
                faults.push(format!("a token of user `{name}`: expected 64 hexadecimal digits"));
            }
        }
        faults
    }

    /// Gives the accounts, in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.users.iter()
    }

    /// Says whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Says whether an account can have a name.
    pub(super) fn is_name(name: &str) -> bool {
        name_fault(name).is_none()
    }

    /// Finds an account by its name.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&Account> {
        self.users.iter().find(|user| user.name == name)
    }

    /// Finds the account of a token.
    pub(super) fn of_token(&self, offered: &str) -> Option<&Account> {
        let offered = password::digest(offered.strip_prefix(TOKEN_BEGINS)?);
        let is_it = |token: &Token| token.digest.as_bytes().ct_eq(offered.as_bytes()).into();
        self.users.iter().find(|user| user.tokens.iter().any(is_it))
    }

    fn named(&mut self, name: &str) -> Result<&mut Account, String> {
        let user = self.users.iter_mut().find(|user| user.name == name);
        user.ok_or_else(|| format!("there is no user `{name}`; `weir user ls` names them"))
    }

    /// Adds an account, without a password where there is none to be.
    ///
    /// # Errors
    /// The name is taken or no name, the password too short, or there are too many.
    pub fn add(&mut self, name: &str, role: Role, secret: Option<&str>) -> Result<(), String> {
        if let Some(fault) = name_fault(name) {
            return Err(format!("name `{name}`: {fault}"));
        }
        if self.of(name).is_some() {
            return Err(format!("user `{name}` is there already; `weir user passwd` changes it"));
        }
        if self.users.len() >= USERS_MAX {
            return Err(format!(
                "there are {USERS_MAX} users, which is the most; remove one first"
            ));
        }
        let password = secret.map(password::hash).transpose()?;
        self.users.push(Account { name: name.to_owned(), role, password, tokens: Vec::new() });
        Ok(())
    }

    /// Gives an account another password.
    ///
    /// # Errors
    /// There is no such account, or the password is too short.
    pub fn set_password(&mut self, name: &str, secret: &str) -> Result<(), String> {
        self.named(name)?.password = Some(password::hash(secret)?);
        Ok(())
    }

    /// Gives an account another role.
    ///
    /// # Errors
    /// There is no such account.
    pub fn set_role(&mut self, name: &str, role: Role) -> Result<(), String> {
        self.named(name)?.role = role;
        Ok(())
    }

    /// Removes an account.
    ///
    /// # Errors
    /// There is no such account.
    pub fn remove(&mut self, name: &str) -> Result<(), String> {
        self.named(name)?;
        self.users.retain(|user| user.name != name);
        Ok(())
    }

    /// Gives an account a token more. Only its digest is held, so it can't be shown again.
    ///
    /// # Errors
    /// There is no such account, it has a token of that label or too many, or the system has no
    /// random numbers.
    pub fn add_token(&mut self, name: &str, label: &str) -> Result<String, String> {
        if let Some(fault) = name_fault(label) {
            return Err(format!("label `{label}`: {fault}"));
        }
        let user = self.named(name)?;
        if user.labels().any(|held| held == label) {
            return Err(format!("user `{name}` has a token `{label}` already; --remove ends it"));
        }
        if user.tokens.len() >= TOKENS_MAX {
            return Err(format!("user `{name}` has {TOKENS_MAX} tokens; remove one first"));
        }
        let drawn = password::hex(&password::random().map_err(|error| error.to_string())?);
        let digest = password::digest(&drawn);
        user.tokens.push(Token { label: label.to_owned(), digest });
        Ok(format!("{TOKEN_BEGINS}{drawn}"))
    }

    /// Takes a token from an account.
    ///
    /// # Errors
    /// There is no such account or token.
    pub fn remove_token(&mut self, name: &str, label: &str) -> Result<(), String> {
        let user = self.named(name)?;
        if !user.labels().any(|held| held == label) {
            return Err(format!("user `{name}` has no token `{label}`"));
        }
        user.tokens.retain(|token| token.label != label);
        Ok(())
    }

    /// Changes the accounts of a file: one who changes them at a time.
    ///
    /// # Errors
    /// What the change says, or the file can't be read or written.
    pub fn change<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let said = |error: io::Error| format!("`{}`: {error}", path.display());
        fs::create_dir_all(folder).map_err(said)?;
        let lock = File::open(folder).map_err(said)?;
        lock.lock().map_err(said)?;
        let mut accounts = Self::read(path)?;
        let changed = change(&mut accounts)?;
        let text = toml::to_string(&accounts).map_err(|error| error.to_string())?;
        write_closed(path, format!("{HEAD}{text}").as_bytes()).map_err(said)?;
        Ok(changed)
    }
}

/// Tells what is wrong with a name: it stands in the log, in tables and in the journal.
fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Some("expected 1 to 64 bytes");
    }
    let fits = |letter: char| letter.is_alphanumeric() || "._-@".contains(letter);
    (!name.chars().all(fits)).then_some("expected letters, digits and any of . _ - @")
}

/// Writes a file that only its owner may read: beside it, and then in its place. The owner is that
/// of the folder, so that weir can read what an administrator writes.
pub(super) fn write_closed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let new = path.with_file_name(name);
    let write = || {
        fs::remove_file(&new).ok();
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let owner = fs::metadata(folder.unwrap_or(Path::new(".")))?;
        if file.metadata()?.uid() != owner.uid() {
            std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        fs::rename(&new, path)
    };
    let written = write();
    if written.is_err() {
        fs::remove_file(&new).ok();
    }
    written
}

/// The accounts of a file as they are now.
#[derive(Debug)]
pub(super) struct Roll {
    path: Option<PathBuf>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    looked: Option<Instant>,
    /// By what a change of the file shows.
    seen: Option<(u64, i64, i64, u64)>,
    accounts: Arc<Accounts>,
}

impl Roll {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, held: Mutex::default() }
    }

    /// Gives the accounts. What is wrong with the file is said once, and the accounts before hold.
    pub(super) fn now(&self) -> Arc<Accounts> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Arc<Accounts> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.path else { return Arc::clone(&held.accounts) };
        if held.looked.is_some_and(|at| now.duration_since(at) < LOOK_EVERY) {
            return Arc::clone(&held.accounts);
        }
        held.looked = Some(now);
        let seen = fs::metadata(path).ok();
        let seen = seen.map(|is| (is.ino(), is.mtime(), is.mtime_nsec(), is.size()));
        if seen != held.seen {
            held.seen = seen;
            match Accounts::read(path) {
                Ok(accounts) => held.accounts = Arc::new(accounts),
                Err(error) => {
                    tracing::error!(error, "The accounts are refused; those before still hold.");
                }
            }
        }
        Arc::clone(&held.accounts)
    }
}

#[cfg(test)]
mod tests;
