//! The way from the shell to a daemon at work: a Unix socket in its data folder, which only its
//! own user may enter. One line of JSON asks, one line answers.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::daemon::act;
use crate::daemon::alerts::shown;
use crate::daemon::audit;
use crate::daemon::came::{Came, Refusal};
use crate::daemon::check;
use crate::daemon::days;
use crate::daemon::edition::Edition;
use crate::daemon::explain;
use crate::daemon::import;
use crate::daemon::recompute::Orders;
use crate::daemon::retry;
use crate::daemon::run::Commands;
use crate::domain::asked::Asked;
use crate::domain::booked::Way;
use crate::http::view::audit::AuditAsked;
use crate::seed::Tables;

/// The socket's file in the data folder.
const SOCKET: &str = "weir.sock";
/// Its name until it is ready.
const SOCKET_NEW: &str = "weir.new";
/// How long a request may be.
const REQUEST_MAX: u64 = 4 << 20;
/// How long asking and answering may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a request may take to come, and its answer to be taken: others wait meanwhile.
const EACH_WAY_MAX: Duration = Duration::from_secs(5);
/// How long to wait where a connection can't be accepted, because files have run out.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// What is asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Request {
    /// Run dead letters again.
    Retry {
        /// Their numbers.
        ids: Vec<i64>,
    },
    /// Take the seeds of a folder, and put them into the folder of the configuration.
    Apply {
        /// The folder.
        folder: PathBuf,
    },
    /// Say something of values, or take it back.
    Act(Asked),
    /// List what is said of values.
    Said {
        /// Of one station; of all without.
        station: Option<String>,
        /// Also what is revoked.
        all: bool,
    },
    /// Explain the flags of a value.
    Explain(explain::Asked),
    /// Show alerts.
    Alerts(shown::Asked),
    /// Show who did what.
    Audit {
        /// Which acts.
        asked: AuditAsked,
        /// As JSON.
        json: bool,
    },
    /// Tell which share of the values of a station passed.
    Days(days::Asked),
    /// Take in parts of a table.
    Import {
        /// The topic under which they come.
        topic: String,
        /// The parts.
        parts: Vec<String>,
    },
    /// Recompute natural days.
    Recompute {
        /// The first.
        from: String,
        /// The last.
        to: String,
        /// Of one station; of all without.
        station: Option<String>,
    },
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was done.
    pub done: bool,
    /// What came of it, line by line.
    pub words: Vec<String>,
}

impl Answer {
    fn done(words: String) -> Self {
        Self { done: true, words: vec![words] }
    }

    fn refused(words: Vec<String>) -> Self {
        Self { done: false, words }
    }
}

/// Asks a daemon at work; `None` if there is none.
///
/// # Errors
/// It does not answer, or nobody can tell whether there is one.
pub async fn ask(data_folder: &Path, request: &Request) -> anyhow::Result<Option<Answer>> {
    let path = data_folder.join(SOCKET);
    let mut stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            return Ok(None);
        }
        Err(error) => {
            let path = path.display();
            let words = format!("`{path}` can't be entered; is this the user that weir runs as?");
            return Err(anyhow::Error::new(error).context(words));
        }
    };
    let asking = async {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::ensure!(!answer.is_empty(), "weir gave no answer; its log may say why");
        Ok::<Answer, anyhow::Error>(serde_json::from_str(&answer)?)
    };
    let late = || format!("weir does not answer within {} s", PATIENCE.as_secs());
    let answer = timeout(PATIENCE, asking).await.ok().with_context(late)??;
    Ok(Some(answer))
}

/// Answers requests until it is told to end.
///
/// # Errors
/// The socket can't be made.
pub fn listen(data_folder: &Path) -> std::io::Result<UnixListener> {
    let path = data_folder.join(SOCKET);
    // The folder is locked: what is left here is of a weir that is no more.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // It takes its place only once nobody else may enter it.
    let closed = data_folder.join(SOCKET_NEW);
    std::fs::remove_file(&closed).ok();
    let listener = UnixListener::bind(&closed)?;
    std::fs::set_permissions(&closed, Permissions::from_mode(0o600))?;
    std::fs::rename(&closed, path)?;
    Ok(listener)
}

/// Takes the socket away.
pub fn leave(data_folder: &Path) {
    // The next weir does so too, if this one can't.
    std::fs::remove_file(data_folder.join(SOCKET)).ok();
}

/// Serves requests for ever, one at a time.
pub async fn serve(listener: UnixListener, config: Config, commands: Commands, orders: Orders) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let served = timeout(PATIENCE, serve_one(stream, &config, &commands, &orders)).await;
        if let Ok(Err(error)) = served {
            tracing::warn!(%error, "A request from the shell failed.");
        }
    }
}

async fn serve_one(
    stream: UnixStream,
    config: &Config,
    commands: &Commands,
    orders: &Orders,
) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let mut beginning = (&mut stream).take(REQUEST_MAX);
    timeout(EACH_WAY_MAX, beginning.read_until(b'\n', &mut line)).await??;
    let answer = match serde_json::from_slice(&line) {
        _ if !line.ends_with(b"\n") && line.len() as u64 >= REQUEST_MAX => {
            Answer::refused(vec![format!("a request of more than {REQUEST_MAX} bytes")])
        }
        Ok(Request::Retry { ids }) => {
            let folder = &config.journal.data_folder;
            Answer::done(retry::numbers(folder, commands, &ids).await?.line())
        }
        Ok(Request::Apply { folder }) => apply(config, commands, &folder).await?,
        Ok(Request::Act(asked)) => {
            match act::take(commands, &config.journal.data_folder, asked, Way::Shell).await? {
                Ok(came) => Answer { done: true, words: came.iter().map(Came::line).collect() },
                Err(faults) => Answer::refused(faults.iter().map(Refusal::line).collect()),
            }
        }
        Ok(Request::Said { station, all }) => said(orders, station.as_deref(), all),
        Ok(Request::Explain(asked)) => match explain::at_work(&orders.status, &asked) {
            Ok(words) => Answer { done: true, words },
            Err(words) => Answer::refused(words),
        },
        Ok(Request::Alerts(asked)) => match shown::at_work(&orders.status, config, &asked)? {
            Ok(words) => Answer { done: true, words },
            Err(words) => Answer::refused(words),
        },
        Ok(Request::Audit { asked, json }) => {
            let view = audit::at_work(&orders.status, config, asked, None);
            match audit::lines(&view, json) {
                Ok(words) => Answer { done: true, words },
                Err(words) => Answer::refused(words),
            }
        }
        Ok(Request::Days(asked)) => match days::at_work(&orders.status, &asked) {
            Ok(words) => Answer { done: true, words },
            Err(words) => Answer::refused(words),
        },
        Ok(Request::Import { topic, parts }) => import(commands, &topic, parts).await?,
        Ok(Request::Recompute { from, to, station }) => {
            match orders.ask(&from, &to, station.as_deref()) {
                Ok(words) => Answer::done(words),
                Err(words) => Answer::refused(vec![words]),
            }
        }
        Err(error) => Answer::refused(vec![format!("not a request: {error}")]),
    };
    let mut out = serde_json::to_vec(&answer)?;
    out.push(b'\n');
    let answering = async {
        stream.write_all(&out).await?;
        stream.shutdown().await
    };
    Ok(timeout(EACH_WAY_MAX, answering).await??)
}

async fn import(commands: &Commands, topic: &str, parts: Vec<String>) -> anyhow::Result<Answer> {
    let mut taken = Vec::with_capacity(parts.len());
    for part in parts {
        match commands.import(topic.to_owned(), part).await? {
            Some(one) => taken.push(one),
            None => return Ok(Answer::refused(vec![import::NO_NETWORK.to_owned()])),
        }
    }
    // What is answered is in the journal.
    commands.settle().await?;
    Ok(Answer::done(serde_json::to_string(&taken)?))
}

fn said(orders: &Orders, station: Option<&str>, all: bool) -> Answer {
    match orders.status.view.load_full() {
        Some(view) => match act::list(&view, station, all) {
            Ok(words) => Answer { done: true, words },
            Err(words) => Answer::refused(vec![words]),
        },
        None => Answer::refused(vec!["weir has only just begun; ask again in some seconds".into()]),
    }
}

async fn apply(config: &Config, commands: &Commands, folder: &Path) -> anyhow::Result<Answer> {
    let told = |faults: Vec<crate::domain::fault::Fault>| {
        Answer::refused(faults.iter().map(ToString::to_string).collect())
    };
    let tables = match Tables::read(folder) {
        Ok(tables) => tables,
        Err(faults) => return Ok(told(faults)),
    };
    let (judgement, networks) = (config.judgement(), config.networks());
    let edition = Edition { judgement, networks, tables };
    if let Err(faults) = check::compiled(&edition) {
        return Ok(told(faults));
    }
    Ok(match commands.take(edition.clone()).await? {
        Err(faults) => told(faults),
        Ok(taken) => {
            if let Err(error) = edition.tables.write_to(&config.seeds) {
                // At its next start weir reads the folder, and would go back to what is in it.
                let words = format!("the edition is in force, but can't be written: {error}");
                return Ok(Answer::refused(vec![words]));
            }
            let words = if taken { "the edition is in force" } else { "it was in force already" };
            Answer::done(words.to_owned())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_its_own_user_may_enter() {
        let folder = tempfile::TempDir::new().unwrap();
        let _listener = listen(folder.path()).unwrap();
        let mode = std::fs::metadata(folder.path().join(SOCKET)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // What another weir left is replaced.
        listen(folder.path()).unwrap();
    }

    #[tokio::test]
    async fn nobody_at_work_is_another_thing_than_a_door_that_is_shut() {
        let folder = tempfile::TempDir::new().unwrap();
        let request = Request::Retry { ids: vec![1] };
        assert_eq!(ask(folder.path(), &request).await.unwrap(), None);
        drop(listen(folder.path()).unwrap());
        assert_eq!(ask(folder.path(), &request).await.unwrap(), None, "left by one that died");
        let no_folder = folder.path().join("file");
        std::fs::write(&no_folder, "").unwrap();
        let error = ask(&no_folder, &request).await.unwrap_err();
        assert!(error.to_string().contains("can't be entered"), "{error}");
    }
}
