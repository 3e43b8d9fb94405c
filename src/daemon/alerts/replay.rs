//! Which alerts other seeds would have given: the raw messages of the journal are played aside to
//! two pipelines, one by the editions as they were in force, one by the other seeds, and their
//! alerts are held against each other. Reads beside a daemon at work, and writes nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::daemon::alerts::trial::{name, reason};
use crate::daemon::edition::Edition;
use crate::daemon::recompute::Editions;
use crate::daemon::recover;
use crate::domain::alert::{AlertChange, AlertEvent, AlertId, Severity, Subject};
use crate::domain::input::{Arrival, Condition, Input};
use crate::domain::name::{Names, NetworkId};
use crate::domain::registry::{Registry, RuleKind};
use crate::domain::time::{DAY, Moment, SECOND, Timestamp};
use crate::journal;
use crate::journal::inputs::Unpacked;
use crate::journal::read::Reader;
use crate::notify::{Letterhead, notification};
use crate::pipeline::recompute::WARM_UP_MS;
use crate::pipeline::state::severity;
use crate::pipeline::{Pipeline, Processed, snapshot};

/// How often the clock is heard between what came; the journal keeps a tick only where it changed
/// something under the seeds of then.
const TICK_MS: i64 = 10 * SECOND;
/// After how many messages the progress is told.
const PROGRESS_EVERY: u64 = 10_000;
/// So many alerts of each side are held; what would be more is refused.
pub const EPISODES_MAX: usize = 100_000;
/// The longest span that is played.
pub const SPAN_DAYS_MAX: i64 = 400;

/// What is asked.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The folder of the journal.
    pub data_folder: &'a Path,
    /// The other seeds.
    pub edition: &'a Edition,
    /// The first instant,
    pub from: Timestamp,
    /// and the first after.
    pub to: Timestamp,
    /// The zone of what is weir's own.
    pub home: &'a TimeZone,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] recover::Error),
    /// The other seeds have faults.
    #[error("the other seeds can't be compiled: {0}")]
    Seeds(String),
    /// The raw messages are gone.
    #[error("raw messages are kept since {since} only; alerts can be compared from {first} on")]
    Gone {
        /// Since when they are kept.
        since: String,
        /// From when on it can be compared.
        first: String,
    },
    /// The span is none, or too long.
    #[error("expected a span of up to {SPAN_DAYS_MAX} days, `--from` before `--to`")]
    Span,
    /// There are too many alerts.
    #[error("more than {EPISODES_MAX} alerts; ask for a shorter span")]
    TooMany,
}

impl From<journal::Error> for Error {
    fn from(error: journal::Error) -> Self {
        Self::Journal(error.into())
    }
}

/// How far the playing is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Progress {
    /// How many messages were played.
    pub messages: u64,
    /// Until when.
    pub at: Timestamp,
    /// Which share of the time.
    pub share: f64,
}

/// An alert from its beginning to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Episode {
    /// Whom it is about.
    pub of: String,
    /// What it watches, a kind of rules.csv.
    pub kind: &'static str,
    /// The rule.
    pub rule: String,
    /// How urgent it was at worst.
    pub severity: Severity,
    /// Who is called.
    pub route: &'static str,
    /// For which periods it fired, all of them.
    pub reasons: Vec<&'static str>,
    /// Whether it was by suspect values, when it fired.
    pub unconfirmed: bool,
    /// Since when what it warns of lasts.
    pub since: Timestamp,
    /// When it fired.
    pub fired: Timestamp,
    /// When it ended, if it did.
    pub ended: Option<Timestamp>,
    /// How: `resolved`, `withdrawn`, `past`; `firing` if it did not.
    pub state: &'static str,
    /// What was told of it first.
    pub words: String,
}

/// A line of the difference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Difference {
    /// The other seeds give it, those of then did not.
    New(Episode),
    /// Those of then gave it, the other ones do not.
    NoMore(Episode),
    /// Both give it, but otherwise: what is otherwise.
    Other(Box<(Episode, Episode)>, Vec<String>),
}

/// What came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Compared {
    /// From when on it was compared: later than asked where raw messages are gone.
    pub from: Timestamp,
    /// Since when raw messages are kept, where that is why.
    pub raw_since: Option<Timestamp>,
    /// Where alerts differ, in order of time.
    pub differences: Vec<Difference>,
    /// How many alerts are the same.
    pub same: usize,
    /// How many messages were played.
    pub messages: u64,
}

/// Plays a span of the journal by the seeds of then and by other ones.
///
/// # Errors
/// Nothing can be compared.
pub fn compare(asked: &Asked<'_>, tell: &mut dyn FnMut(Progress)) -> Result<Compared, Error> {
    let Asked { data_folder, edition, to, home, .. } = *asked;
    if to <= asked.from || to.since(asked.from) > SPAN_DAYS_MAX * DAY {
        return Err(Error::Span);
    }
    let reader = Reader::open(data_folder)?;
    let since = reader.raw_since()?;
    let begins = if since.all { since.at } else { since.at.plus(WARM_UP_MS) };
    if to <= begins {
        let (since, first) = (since.at.rfc3339(home), begins.rfc3339(home));
        return Err(Error::Gone { since, first });
    }
    let cut = asked.from < begins && !since.all;
    let from = if cut { begins } else { asked.from };
    let after = reader.batch_before(from.plus(-WARM_UP_MS))?;
    let mut names = Names::from_journal(reader.names()?);
    let other = edition.compile(&mut names).map_err(|faults| {
        Error::Seeds(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })?;
    let mut editions = Editions::new(&reader, names);
    let first = reader.edition_before(after + 1)?.unwrap_or_default();
    let first = editions.get(&first)?;
    let closing = reader.closing_from(after)?;
    let closing = closing.as_deref().filter(|_| after > 0);
    let mut stage = Stage::new([&first, &other], (from, to), (closing, after > 0), home);
    let ended = reader.inputs_after(after, |sequence, bytes| {
        for kept in Unpacked::new(bytes) {
            let torn = |torn| Error::Journal(recover::Error::Torn(sequence, torn));
            let (at, kept) = kept.map_err(torn)?;
            let input = recover::input(kept, |digest| editions.get(digest))?;
            if at.wall >= to {
                return Err(Halt::Enough);
            }
            stage.take(&Arrival { at, input })?;
            if stage.messages.is_multiple_of(PROGRESS_EVERY) {
                tell(stage.progress());
            }
        }
        Ok(())
    });
    match ended {
        Ok(()) | Err(Halt::Enough) => {}
        Err(Halt::Fault(error)) => return Err(error),
    }
    let messages = stage.messages;
    let [told, would] = stage.sides.map(|side| side.episodes(from));
    let (differences, same) = differences(told, would, from, home);
    let raw_since = cut.then_some(since.at);
    Ok(Compared { from, raw_since, differences, same, messages })
}

/// Why inputs are read no further.
enum Halt {
    Enough,
    Fault(Error),
}

impl<E: Into<Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

/// Two pipelines that hear the same.
struct Stage<'a> {
    sides: [Side<'a>; 2],
    span: (Timestamp, Timestamp),
    /// The closing part of a snapshot of later, and whether weir was at work before.
    before: (Option<&'a [u8]>, bool),
    /// When the playing began.
    begins: Option<Timestamp>,
    last: Option<Moment>,
    messages: u64,
}

impl<'a> Stage<'a> {
    fn new(
        editions: [&Arc<Registry>; 2],
        span: (Timestamp, Timestamp),
        before: (Option<&'a [u8]>, bool),
        home: &'a TimeZone,
    ) -> Self {
        let sides = editions.map(|registry| Side::new(registry, home));
        Self { sides, span, before, begins: None, last: None, messages: 0 }
    }

    fn progress(&self) -> Progress {
        let at = self.last.map_or(self.span.0, |last| last.wall);
        let begins = self.begins.unwrap_or(at);
        let whole = self.span.1.since(begins).max(1) as f64;
        Progress { messages: self.messages, at, share: at.since(begins) as f64 / whole }
    }

    fn take(&mut self, arrival: &Arrival<'_>) -> Result<(), Error> {
        if self.last.is_none() {
            self.begins = Some(arrival.at.wall);
            for side in &mut self.sides {
                side.begin(arrival.at, self.before)?;
            }
        }
        // A weir that starts says so of every broker, and before that it was perhaps not there:
        // then nobody noticed that nothing came.
        if !matches!(arrival.input, Input::Condition(Condition::Disconnected(_))) {
            self.wait_until(arrival.at)?;
        }
        self.last = Some(arrival.at);
        self.messages += u64::from(matches!(arrival.input, Input::Message(_)));
        let [told, would] = &mut self.sides;
        told.take(arrival)?;
        // The other seeds stay in force.
        if !matches!(arrival.input, Input::Edition(_)) {
            would.take(arrival)?;
        }
        Ok(())
    }

    fn wait_until(&mut self, until: Moment) -> Result<(), Error> {
        let Some(last) = self.last else { return Ok(()) };
        let mut at = last;
        while at.elapsed_ms + TICK_MS < until.elapsed_ms {
            at = Moment { wall: at.wall.plus(TICK_MS), elapsed_ms: at.elapsed_ms + TICK_MS };
            for side in &mut self.sides {
                side.take(&Arrival { at, input: Input::Tick })?;
            }
        }
        Ok(())
    }
}

/// A pipeline, and the alerts that it gave.
struct Side<'a> {
    pipeline: Option<Pipeline>,
    registry: Arc<Registry>,
    out: Processed,
    home: &'a TimeZone,
    open: BTreeMap<AlertId, Episode>,
    over: Vec<Episode>,
}

impl<'a> Side<'a> {
    fn new(registry: &Arc<Registry>, home: &'a TimeZone) -> Self {
        let (out, open, over) = (Processed::default(), BTreeMap::new(), Vec::new());
        Self { pipeline: None, registry: Arc::clone(registry), out, home, open, over }
    }

    /// Begins, in the middle of a run with brokers that are taken as connected until they say
    /// otherwise.
    fn begin(
        &mut self,
        at: Moment,
        (closing, at_work): (Option<&[u8]>, bool),
    ) -> Result<(), Error> {
        let aside = snapshot::aside(&self.registry, at, closing).map_err(recover::Error::from)?;
        self.pipeline = Some(aside);
        let networks = if at_work { self.registry.networks.iter().count() } else { 0 };
        for place in 0..networks {
            let network = NetworkId(u32::try_from(place).unwrap_or(u32::MAX));
            let input = Input::Condition(Condition::Connected(network));
            self.take(&Arrival { at, input })?;
        }
        Ok(())
    }

    fn take(&mut self, arrival: &Arrival<'_>) -> Result<(), Error> {
        let Some(pipeline) = &mut self.pipeline else { return Ok(()) };
        pipeline.process(arrival, &mut self.out);
        if self.out.alerts.is_empty() {
            return Ok(());
        }
        let registry = Arc::clone(pipeline.registry());
        for event in std::mem::take(&mut self.out.alerts) {
            self.note(&registry, &event);
        }
        if self.open.len() + self.over.len() > EPISODES_MAX { Err(Error::TooMany) } else { Ok(()) }
    }

    fn note(&mut self, registry: &Registry, event: &AlertEvent) {
        let begun = || episode(registry, event, self.home);
        let reasons = event.reasons.iter().map(reason);
        match event.change {
            AlertChange::Fired => {
                self.open.insert(event.alert, begun());
            }
            AlertChange::Changed => {
                let held = self.open.entry(event.alert).or_insert_with(begun);
                held.severity = held.severity.max(severity(registry, event));
                for reason in reasons {
                    if !held.reasons.contains(&reason) {
                        held.reasons.push(reason);
                    }
                }
            }
            AlertChange::Resolved | AlertChange::Withdrawn | AlertChange::Past => {
                let mut held = self.open.remove(&event.alert).unwrap_or_else(begun);
                held.ended = Some(event.at);
                held.state = event.change.word();
                self.over.push(held);
            }
        }
    }

    /// Gives the alerts that were not over before a time.
    fn episodes(self, from: Timestamp) -> Vec<Episode> {
        let all = self.over.into_iter().chain(self.open.into_values());
        let mut all: Vec<Episode> =
            all.filter(|one| one.ended.is_none_or(|ended| ended >= from)).collect();
        all.sort_by(|one, other| (one.fired, &one.of).cmp(&(other.fired, &other.of)));
        all
    }
}

fn episode(registry: &Registry, event: &AlertEvent, home: &TimeZone) -> Episode {
    let rule = registry.rule(event.rule);
    Episode {
        of: name(registry, event.subject),
        kind: match (rule.map(|rule| rule.kind), event.subject) {
            (_, Subject::Weir { .. }) | (Some(RuleKind::Weir(_)) | None, _) => "weir",
            (Some(RuleKind::Exceedance { .. }), _) => "exceedance",
            (Some(RuleKind::Silence { .. }), _) => "silence",
            (Some(RuleKind::Instrument { .. }), _) => "instrument",
            (Some(RuleKind::Rise { .. }), _) => "rise",
            (Some(RuleKind::NotAssessable { .. }), _) => "not_assessable",
            (Some(RuleKind::Index { .. }), _) => "index",
        },
        rule: rule.map_or(String::new(), |rule| rule.name.to_string()),
        severity: severity(registry, event),
        route: rule.map_or("", |rule| rule.route.word()),
        reasons: event.reasons.iter().map(reason).collect(),
        unconfirmed: event.unconfirmed,
        since: event.since,
        fired: event.at,
        ended: None,
        state: AlertChange::Fired.word(),
        words: notification(registry, event, &Letterhead::plain(home.clone())).words,
    }
}

/// Pairs the alerts of both sides: of the same datastream or station and kind, where their times
/// overlap.
fn differences(
    told: Vec<Episode>,
    would: Vec<Episode>,
    from: Timestamp,
    home: &TimeZone,
) -> (Vec<Difference>, usize) {
    let mut rest: BTreeMap<(String, &'static str), Vec<Episode>> = BTreeMap::new();
    for one in would {
        rest.entry((one.of.clone(), one.kind)).or_default().push(one);
    }
    let (mut all, mut same) = (Vec::new(), 0);
    for one in told {
        let others = rest.get_mut(&(one.of.clone(), one.kind));
        let place = others.as_ref().and_then(|all| all.iter().position(|other| meet(&one, other)));
        let Some((others, place)) = others.zip(place) else {
            all.push(Difference::NoMore(one));
            continue;
        };
        let other = others.remove(place);
        let words = apart(&one, &other, from, home);
        if words.is_empty() {
            same += 1;
        } else {
            all.push(Difference::Other(Box::new((one, other)), words));
        }
    }
    all.extend(rest.into_values().flatten().map(Difference::New));
    all.sort_by(|one, other| one.key().cmp(&other.key()));
    (all, same)
}

impl Difference {
    /// Gives the alert as the other seeds give it, else as it was.
    #[must_use]
    pub fn episode(&self) -> &Episode {
        match self {
            Self::New(one) | Self::NoMore(one) => one,
            Self::Other(both, _) => &both.1,
        }
    }

    /// Gives the sign of its line.
    #[must_use]
    pub fn sign(&self) -> char {
        match self {
            Self::New(_) => '+',
            Self::NoMore(_) => '-',
            Self::Other(..) => '~',
        }
    }

    fn key(&self) -> (Timestamp, &str, char) {
        let one = self.episode();
        (one.fired, &one.of, self.sign())
    }
}

fn meet(one: &Episode, other: &Episode) -> bool {
    let ends = |one: &Episode| one.ended.unwrap_or(Timestamp(i64::MAX));
    let begins = |one: &Episode| one.since.min(one.fired);
    begins(one) <= ends(other) && begins(other) <= ends(one)
}

/// Tells in what two alerts differ. What happened before the span is that of the warm-up, which
/// began without history.
fn apart(one: &Episode, other: &Episode, from: Timestamp, home: &TimeZone) -> Vec<String> {
    let mut words = Vec::new();
    let clock = |at: Timestamp| at.rfc3339(home);
    if one.fired != other.fired && one.fired.max(other.fired) >= from {
        words.push(format!("fired {}, was {}", clock(other.fired), clock(one.fired)));
    }
    if (one.ended, one.state) != (other.ended, other.state) {
        let end = |one: &Episode| match one.ended {
            Some(at) => format!("{} {}", one.state, clock(at)),
            None => "still firing".to_owned(),
        };
        words.push(format!("{}, was {}", end(other), end(one)));
    }
    let texts = [
        ("rule", &*one.rule, &*other.rule),
        ("severity", one.severity.word(), other.severity.word()),
        ("route", one.route, other.route),
    ];
    for (key, was, is) in texts {
        if was != is {
            words.push(format!("{key} {is}, was {was}"));
        }
    }
    let sorted = |one: &Episode| {
        let mut reasons = one.reasons.clone();
        reasons.sort_unstable();
        reasons.join(" ")
    };
    if sorted(one) != sorted(other) {
        words.push(format!("by {}, was by {}", sorted(other), sorted(one)));
    }
    if one.unconfirmed != other.unconfirmed {
        let word = |one: &Episode| if one.unconfirmed { "unconfirmed" } else { "confirmed" };
        words.push(format!("{}, was {}", word(other), word(one)));
    }
    words
}
