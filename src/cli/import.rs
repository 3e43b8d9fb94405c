//! `weir import`: a table goes to the daemon at work, part by part, and what became of it is told.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use super::table;
use crate::daemon::check;
use crate::daemon::clock::Clock;
use crate::daemon::import::sheet::{Asked, Part, Sheet};
use crate::daemon::import::{Sum, Taken, Trial};
use crate::daemon::socket::{self, Request};
use crate::daemon::terminal;
use crate::domain::booked::What;
use crate::domain::fault::Fault;

/// How many parts one request has.
const PARTS_MAX: usize = 8;
/// How many faults of rows are told; those beyond are counted, and stand in the dead letters.
const FAULTS_TOLD_MAX: usize = 100;
/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(2);
const NOBODY: &str = "no weir is at work on this data folder; start it (weir run), then import \
                      again: what was imported before is known";
/// Nobody knows then what became of the last parts.
const AGAIN: &str = "the import ended early; import again: what is in is known";

/// What is to be imported.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The table; `-` is standard input.
    file: PathBuf,
    /// The station it is of. Rows of others are passed over, where a column `station` names it.
    #[arg(long)]
    station: String,
    /// The device it is of, `sonde-02` or `rivers/sonde-02`.
    #[arg(long)]
    device: Option<String>,
    /// Columns, or properties of a long table, that are passed over, with commas between.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Show what would become of it. Nothing is stored, and what is held already is not known.
    #[arg(long)]
    dry_run: bool,
    /// The configuration.
    #[arg(long, default_value = "config/weir.toml")]
    config: PathBuf,
}

/// Imports a table.
///
/// # Errors
/// It can't be read, or no daemon answers.
pub(super) async fn run(command: Import) -> anyhow::Result<ExitCode> {
    let Import { file, station, device, ignore, dry_run, config } = command;
    let sound = match check::edition(&config) {
        Ok(sound) => sound,
        Err(faults) => return Ok(super::tell(&faults)?),
    };
    let file = Some(&*file).filter(|file| *file != Path::new("-"));
    let bytes = table::read(file)?;
    let asked = Asked { file: table::name(file), station, device, ignore };
    let text = match crate::daemon::table::whole(&asked.file, &bytes) {
        Ok(text) => text,
        Err(faults) => return refuse(&faults),
    };
    let mut sheet = match Sheet::open(&sound.registry, &asked, &text) {
        Ok(sheet) => sheet,
        Err(faults) => return refuse(&faults),
    };
    let mut told = Told::new(text.len());
    if dry_run {
        for words in sheet.words() {
            writeln!(io::stdout(), "{}", terminal::plain(&words))?;
        }
        let now = Clock::real().now().wall;
        let mut trial = Trial::new(&sound.registry, now).context("no network `import`")?;
        while let Some(part) = sheet.part() {
            let taken = trial.take(&sheet.topic, &part);
            told.add(&asked.file, &sheet, &part, &taken)?;
        }
        return told.end(&sheet, "would be");
    }
    let folder = &sound.config.journal.data_folder;
    loop {
        let parts: Vec<Part> = std::iter::from_fn(|| sheet.part()).take(PARTS_MAX).collect();
        if parts.is_empty() {
            break;
        }
        let taken = hand_over(folder, &sheet.topic, &parts).await;
        if taken.is_err() {
            told.so_far()?;
            told.book(folder, &asked, &sheet)?;
        }
        for (part, taken) in parts.iter().zip(taken?) {
            told.add(&asked.file, &sheet, part, &taken)?;
        }
    }
    told.book(folder, &asked, &sheet)?;
    told.end(&sheet, "are")
}

/// Has the daemon take parts in, and gives what became of each.
async fn hand_over(folder: &Path, topic: &str, parts: &[Part]) -> anyhow::Result<Vec<Taken>> {
    let parts: Vec<String> = parts.iter().map(|part| part.payload.clone()).collect();
    let request = Request::Import { topic: topic.to_owned(), parts };
    let answer = socket::ask(folder, &request).await.context(AGAIN)?.context(NOBODY)?;
    anyhow::ensure!(answer.done, answer.words.join("\n"));
    let taken = answer.words.first().map_or("", String::as_str);
    Ok(serde_json::from_str(taken)?)
}

/// Tells what is wrong with a table of which nothing was imported.
fn refuse(faults: &[Fault]) -> anyhow::Result<ExitCode> {
    let mut out = io::stderr().lock();
    for fault in faults {
        writeln!(out, "{}", terminal::plain(&fault.to_string()))?;
    }
    writeln!(out, "{} faults; nothing was imported", faults.len())?;
    Ok(ExitCode::FAILURE)
}

/// What was told so far.
struct Told {
    sum: Sum,
    faults: usize,
    bytes: usize,
    last: Instant,
}

impl Told {
    fn new(bytes: usize) -> Self {
        Self { sum: Sum::default(), faults: 0, bytes, last: Instant::now() }
    }

    fn add(&mut self, file: &str, sheet: &Sheet<'_>, part: &Part, taken: &Taken) -> io::Result<()> {
        let mut out = io::stderr().lock();
        for words in self.sum.add(file, part, taken) {
            self.faults += 1;
            if self.faults <= FAULTS_TOLD_MAX {
                writeln!(out, "{}", terminal::plain(&words))?;
            }
        }
        if self.last.elapsed() >= TELL_EVERY {
            self.last = Instant::now();
            let share = sheet.bytes * 100 / (self.bytes as u64).max(1);
            writeln!(out, "{} rows, {share} % of the table: {}", sheet.rows, self.sum.words())?;
        }
        Ok(())
    }

    /// Tells what came of a table that is not taken in to its end.
    fn so_far(&self) -> io::Result<()> {
        if self.sum.read == 0 {
            return Ok(());
        }
        writeln!(io::stdout(), "so far: {}", self.sum.words())
    }

    /// Writes down what was taken in.
    fn book(&self, folder: &Path, asked: &Asked, sheet: &Sheet<'_>) -> io::Result<()> {
        if self.sum.read == 0 {
            return Ok(());
        }
        let about = format!("{}, {}", asked.station, asked.file);
        let words = format!("{} rows, {}", sheet.rows, self.sum.words());
        super::book(folder, What::TableImported, (&about, &words))
    }

    fn end(&self, sheet: &Sheet<'_>, are: &str) -> anyhow::Result<ExitCode> {
        if self.faults > FAULTS_TOLD_MAX {
            let more = self.faults - FAULTS_TOLD_MAX;
            writeln!(io::stderr(), "{more} more; they {are} in weir dead-letters ls")?;
        }
        let mut out = io::stdout().lock();
        if sheet.of_others > 0 {
            writeln!(out, "{} rows of other stations were passed over", sheet.of_others)?;
        }
        writeln!(out, "{} rows, {}", sheet.rows, self.sum.words())?;
        let well = self.sum.rejected == 0;
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
