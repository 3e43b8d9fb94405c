//! `weir user`: the accounts of the page. They are kept in a file that a weir at work reads again.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::cli::read;
use crate::domain::booked::What;
use crate::http::account::{Accounts, NAME_BYTES_MAX};
use crate::http::password::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use crate::http::visit::Role;

/// What the help says at its end.
pub(super) const ROLES: &str = "\
Roles, each all of the ones before it:
  view      see everything that is no secret
  operate   work off alerts: acknowledge, comment, shelve, silence; say what values are worth
  admin     run dead letters again, try channels, take editions, read the audit list

The first account:  weir user add li.na --role admin
A program that reads the page:
  weir user add grafana --role view --no-password
  weir user token grafana --label board";

/// What can be done with accounts.
#[derive(Debug, clap::Subcommand)]
pub enum User {
    /// Add an account. Its password is asked for without being shown, and once more.
    ///
    /// A name has letters, digits, and any of . _ - @; all that is done on the page is booked by
    /// it. A password has 8 characters or more: a few words that do not belong together are easier
    /// to keep in mind than signs, and harder to guess. Where standard input is no terminal, its
    /// first line is the password.
    ///
    /// Example: weir user add li.na --role operate
    Add {
        /// The name.
        name: String,
        /// What it may do: view, operate or admin.
        #[arg(long)]
        role: Role,
        /// Where its password comes from.
        #[command(flatten)]
        secret: Secret,
        /// Without a password, for one who comes by token or through a proxy.
        #[arg(long, conflicts_with = "password_file")]
        no_password: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Give an account another password. Whoever is logged in by the old one is logged out.
    Passwd {
        /// The name.
        name: String,
        /// Where its password comes from.
        #[command(flatten)]
        secret: Secret,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Give an account another role; it counts from the next request on.
    Role {
        /// The name.
        name: String,
        /// What it may do: view, operate or admin.
        role: Role,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// List the accounts: name, role, how they come in.
    Ls {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Remove an account with its tokens. Whoever is logged in by it is logged out; what it did
    /// stays booked under its name.
    Rm {
        /// The name.
        name: String,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
    /// Make a token of an account, for a program. It is printed this once, and only its digest is
    /// kept.
    ///
    /// The program sends it as `Authorization: Bearer weir_…` and may do what the account may.
    ///
    /// Example: weir user token grafana --label board
    Token {
        /// The name.
        name: String,
        /// What it is for, by which it is removed.
        #[arg(long)]
        label: String,
        /// Remove the token of this label instead.
        #[arg(long)]
        remove: bool,
        /// The configuration.
        #[arg(long, default_value = "config/weir.toml")]
        config: PathBuf,
    },
}

/// Where a password comes from.
#[derive(Debug, clap::Args)]
pub struct Secret {
    /// The file whose first line is the password, instead of being asked for.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Does what is asked.
///
/// # Errors
/// The configuration or the accounts can't be read, or something is wrong with what is asked.
pub(super) fn run(asked: User) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout();
    let done = |config: &Path, what, name: &str, words: &str| {
        let folder = read(config)?.journal.data_folder;
        super::book(&folder, what, (name, words)).map_err(anyhow::Error::from)
    };
    match asked {
        User::Add { name, role, secret, no_password, config } => {
            let path = path(&config)?;
            let password = if no_password { None } else { Some(secret.read(&name)?) };
            change(&path, |all| all.add(&name, role, password.as_deref()))?;
            done(&config, What::AccountAdded, &name, role.word())?;
            writeln!(out, "{name} may {} now", role.word())?;
        }
        User::Passwd { name, secret, config } => {
            let path = path(&config)?;
            if held(&path)?.of(&name).is_none() {
                bail!("there is no user `{name}`; `weir user ls` names them");
            }
            let password = secret.read(&name)?;
            change(&path, |all| all.set_password(&name, &password))?;
            done(&config, What::PasswordSet, &name, "")?;
            writeln!(out, "{name} has another password; who was logged in by the old one is out")?;
        }
        User::Role { name, role, config } => {
            change(&path(&config)?, |all| all.set_role(&name, role))?;
            done(&config, What::RoleSet, &name, role.word())?;
            writeln!(out, "{name} may {} now", role.word())?;
        }
        User::Ls { json, config } => list(&held(&path(&config)?)?, json)?,
        User::Rm { name, config } => {
            change(&path(&config)?, |all| all.remove(&name))?;
            done(&config, What::AccountRemoved, &name, "")?;
            writeln!(out, "{name} is removed")?;
        }
        User::Token { name, label, remove: true, config } => {
            change(&path(&config)?, |all| all.remove_token(&name, &label))?;
            done(&config, What::TokenRemoved, &name, &label)?;
            writeln!(out, "the token `{label}` of {name} is removed")?;
        }
        User::Token { name, label, remove: false, config } => {
            let token = change(&path(&config)?, |all| all.add_token(&name, &label))?;
            writeln!(out, "{token}")?;
            done(&config, What::TokenMade, &name, &label)?;
            writeln!(io::stderr(), "It is not shown again; whoever has it comes in as {name}.")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn path(config: &Path) -> anyhow::Result<PathBuf> {
    read(config)?.http.users().context("there is no data folder for the accounts")
}

fn held(path: &Path) -> anyhow::Result<Accounts> {
    Accounts::read(path).map_err(anyhow::Error::msg)
}

fn change<T>(
    path: &Path,
    change: impl FnOnce(&mut Accounts) -> Result<T, String>,
) -> anyhow::Result<T> {
    Accounts::change(path, change).map_err(anyhow::Error::msg)
}

fn list(accounts: &Accounts, json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        let all = accounts.iter().map(|user| {
            let labels: Vec<&str> = user.labels().collect();
            let (name, role, has) = (&user.name, user.role.word(), user.has_password());
            serde_json::json!({ "name": name, "role": role, "password": has, "tokens": labels })
        });
        writeln!(out, "{}", serde_json::Value::from_iter(all))?;
        return Ok(());
    }
    if accounts.is_empty() {
        writeln!(out, "nobody has an account; add one: weir user add NAME --role admin")?;
    }
    for user in accounts.iter() {
        let password = if user.has_password() { "password" } else { "no password" };
        let labels: Vec<&str> = user.labels().collect();
        let tokens = if labels.is_empty() { String::new() } else { labels.join(", ") };
        let tokens = if tokens.is_empty() { tokens } else { format!(", tokens: {tokens}") };
        let width = NAME_BYTES_MAX / 3;
        writeln!(out, "{:<width$} {:<8} {password}{tokens}", user.name, user.role.word())?;
    }
    Ok(())
}

impl Secret {
    /// Reads the password: from the file, the terminal, or the first line of standard input.
    fn read(&self, name: &str) -> anyhow::Result<String> {
        let line = |from: &mut dyn io::Read| -> io::Result<String> {
            let mut text = String::new();
            from.take(PASSWORD_BYTES_MAX as u64 + 2).read_to_string(&mut text)?;
            Ok(text.lines().next().unwrap_or_default().to_owned())
        };
        if let Some(file) = &self.password_file {
            let opened = std::fs::File::open(file).and_then(|mut file| line(&mut file));
            return opened.with_context(|| format!("{} can't be read", file.display()));
        }
        if !io::stdin().is_terminal() {
            return Ok(line(&mut io::stdin().lock())?);
        }
        let words = format!("Password of {name}, {PASSWORD_CHARS_MIN} characters or more: ");
        let first = ask(&words)?;
        if ask("Once more: ")? != first {
            bail!("the two differ; nothing was changed");
        }
        Ok(first)
    }
}

/// Asks on the terminal for a line that is not shown while it is written.
fn ask(words: &str) -> anyhow::Result<String> {
    let input = io::stdin();
    write!(io::stderr(), "{words}")?;
    let before = tcgetattr(&input)?;
    let mut quiet = before.clone();
    // Ctrl-C is read as a sign: it must not leave a terminal that shows nothing.
    quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
    tcsetattr(&input, OptionalActions::Flush, &quiet)?;
    let mut line = String::new();
    let read = input.lock().read_line(&mut line);
    tcsetattr(&input, OptionalActions::Flush, &before)?;
    writeln!(io::stderr())?;
    read?;
    if line.contains('\u{3}') {
        bail!("interrupted; nothing was changed");
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
