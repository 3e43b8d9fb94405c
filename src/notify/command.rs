//! A command: a program with its arguments and no shell, which reads the text from its standard
//! input. It knows nothing of weir's environment but what is named, and is ended in time with all
//! that it started.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::http::WORDS_BYTES_MAX;
use super::text::{Form, Texts};
use super::{Config, Error, Sent, sample};

/// The longest text that a command is given, bytes.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// How long what a command started may go on writing after its end.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// The exit code by which a program says that it may work later (`EX_TEMPFAIL` of sysexits.h).
const TRY_AGAIN: i32 = 75;

/// A command that is ready to run.
#[derive(Debug)]
pub(super) struct Runner {
    program: Vec<String>,
    environment: Vec<String>,
    texts: Texts,
    timeout: Duration,
}

impl Runner {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            program: program(config)?,
            environment: config.environment.clone().unwrap_or_default(),
            texts: Texts::new(config),
            timeout: Duration::from_secs(config.timeout_s),
        })
    }

    /// Gives everything that is wrong with the section; the template is tried on a sample.
    pub(super) fn faults(config: &Config) -> Vec<Error> {
        let mut faults = Vec::new();
        faults.extend(program(config).err());
        faults.extend(Texts::try_on(config, &sample(), &serde_json::Map::new()).err());
        faults
    }

    pub(super) async fn send(&self, id: &str, body: &Value) -> Sent {
        let text = self.texts.write(id, body, Form::Plain, TEXT_BYTES_MAX);
        let mut child = match self.spawn(id, body) {
            Ok(child) => child,
            Err(error) => {
                let words = format!("the program can't be started: {error}");
                return Sent::Retry { after: None, words };
            }
        };
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        match timeout(self.timeout, talk(&mut child, text.as_bytes(), group)).await {
            Ok(Ok((status, words))) => judge(status, words),
            Ok(Err(error)) => Sent::Retry { after: None, words: error.to_string() },
            Err(_) => {
                end(group);
                child.wait().await.ok();
                let words = format!("ended after {} s without an answer", self.timeout.as_secs());
                Sent::Retry { after: None, words }
            }
        }
    }

    fn spawn(&self, id: &str, body: &Value) -> std::io::Result<Child> {
        let (program, arguments) = match &*self.program {
            [program, arguments @ ..] => (program, arguments),
            [] => return Err(std::io::Error::other("there is none")),
        };
        let kept = self.environment.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(kept)
            .env("WEIR_NOTIFICATION_ID", id)
            .env("WEIR_STATUS", body["status"].as_str().unwrap_or_default())
            .env("WEIR_TITLE", self.texts.title(body))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Says whether the program is there and may be run; runs nothing.
    pub(super) fn probe(&self, channel: &str) -> Result<(), Error> {
        let program = self.program.first().map(String::as_str).unwrap_or_default();
        runnable(program).map_err(|found| Error::Setting {
            channel: channel.to_owned(),
            key: "command",
            found,
            expected: EXPECTED,
        })
    }
}

const EXPECTED: &str = "the path of a program and its arguments, [\"/usr/bin/…\", \"…\"]";

fn program(config: &Config) -> Result<Vec<String>, Error> {
    let fault = |found: String| Error::Setting {
        channel: config.name.clone(),
        key: "command",
        found,
        expected: EXPECTED,
    };
    let program = config.command.clone().unwrap_or_default();
    match program.first() {
        None => Err(fault("there is none".to_owned())),
        Some(path) if !path.starts_with('/') => {
            Err(fault(format!("`{path}` is no path from the root")))
        }
        Some(path) => runnable(path).map(|()| program.clone()).map_err(fault),
    }
}

fn runnable(path: &str) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let about = std::fs::metadata(path).map_err(|error| format!("`{path}`: {error}"))?;
    if about.is_file() && about.permissions().mode() & 0o111 != 0 {
        Ok(())
    } else {
        Err(format!("`{path}` is no program that may be run"))
    }
}

/// Gives the text and reads what comes, both at once, so that neither waits for the other. What the
/// program leaves behind ends with it.
async fn talk(
    child: &mut Child,
    text: &[u8],
    group: Option<Pid>,
) -> std::io::Result<(ExitStatus, String)> {
    let mut readers = JoinSet::new();
    if let Some(stdout) = child.stdout.take() {
        readers.spawn(async { (0, read(stdout).await) });
    }
    if let Some(stderr) = child.stderr.take() {
        readers.spawn(async { (1, read(stderr).await) });
    }
    let stdin = child.stdin.take();
    let write = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input has it all the same.
            stdin.write_all(text).await.ok();
            // A line ends, or the next text begins in it.
            stdin.write_all(b"\n").await.ok();
        }
    };
    // One that goes without reading ends the writing, too.
    let (_, status) = tokio::join!(write, child.wait());
    let status = status?;
    end(group);
    let said = timeout(LAST_WORDS, readers.join_all()).await;
    let mut said: Vec<(u8, String)> = said.unwrap_or_default();
    said.sort();
    let said: Vec<&str> = said.iter().map(|(_, words)| words.trim()).collect();
    let words = said.join("\n");
    let words = words.trim();
    let end = words.floor_char_boundary(WORDS_BYTES_MAX);
    Ok((status, words.get(..end).unwrap_or_default().to_owned()))
}

/// Keeps the beginning of what is said, and lets the rest go.
async fn read(mut from: impl AsyncRead + Unpin) -> String {
    let (mut words, mut part) = (Vec::new(), vec![0; 4_096]);
    while let Ok(count) = from.read(&mut part).await
        && count > 0
    {
        let room = WORDS_BYTES_MAX.saturating_sub(words.len()).min(count);
        words.extend_from_slice(part.get(..room).unwrap_or_default());
    }
    String::from_utf8_lossy(&words).into_owned()
}

/// Ends a program with all that it started.
fn end(group: Option<Pid>) {
    if let Some(group) = group {
        kill_process_group(group, Signal::KILL).ok();
    }
}

/// Takes the end of a program for what its code says.
fn judge(status: ExitStatus, words: String) -> Sent {
    match status.code() {
        Some(0) => Sent::Confirmed { status: 0, words },
        Some(TRY_AGAIN) | None => Sent::Retry { after: None, words: format!("{status}: {words}") },
        Some(code) => {
            Sent::Refused { status: u16::try_from(code).ok(), words: format!("({status}) {words}") }
        }
    }
}
