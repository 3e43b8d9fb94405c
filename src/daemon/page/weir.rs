//! What the page about weir shows, and what is done on it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::daemon::book;
use crate::daemon::came::{self, Came};
use crate::daemon::channels;
use crate::daemon::check;
use crate::daemon::deliver::SINK;
use crate::daemon::edition::Edition;
use crate::daemon::page::times::offset;
use crate::daemon::page::{Observer, counts, failed, settings, words};
use crate::daemon::retry;
use crate::domain::booked::What;
use crate::domain::registry::Registry;
use crate::domain::time::{SECOND, Timestamp};
use crate::http::door::Acted;
use crate::http::house::{Retry, Source};
use crate::http::view::weir::{
    BrokerState, ChannelState, EditionState, EditionView, JournalState, LastTold, LetterCount,
    Refusal, SinkState, ThreadState, WeirView,
};
use crate::http::view::{LedgerView, Text};
use crate::journal::Error;
use crate::journal::read::Reader;
use crate::mqtt::outbox::Replied;
use crate::notify::heartbeat::stuck_after_s;
use crate::seed::{self, Tables};

/// How many kinds of dead letters are shown, the largest; all of them are counted.
const LETTERS_SHOWN_MAX: usize = 100;
/// How many refusals of the database are shown, the newest.
const REFUSALS_SHOWN_MAX: u32 = 10;
/// How many rows that differ, and how many faults, are shown of another edition.
const CHANGES_SHOWN_MAX: usize = 500;
/// From which share of its bytes on the journal is said to be filling, %.
const FILLING_SHARE: u64 = 95;

/// Gives what the door asks for.
pub(super) fn source(observer: &Arc<Observer>) -> Source {
    let [page, letter, edition, retrying, testing] = [(); 5].map(|()| Arc::clone(observer));
    Source {
        page: Box::new(move || page.weir()),
        edition: Box::new(move || Box::pin(Arc::clone(&edition).seeds_differ())),
        letter: Box::new(move |id| letter.letter_page(id)),
        retry: Box::new(move |asked, person| Box::pin(Arc::clone(&retrying).retry(asked, person))),
        test: Box::new(move |name, person| Box::pin(Arc::clone(&testing).test(name, person))),
    }
}

impl Observer {
    async fn retry(self: Arc<Self>, asked: Retry, person: String) -> Acted {
        match retry::asked(&self.config.journal.data_folder, &self.commands, &asked).await {
            Ok(Ok(came)) => {
                let lines: Vec<String> = came.iter().map(Came::line).collect();
                let about = retry::which(&asked);
                self.book(What::LettersRetried, person, about, lines.join("; ")).await;
                Ok(came.iter().map(Came::words).collect())
            }
            Ok(Err(fault)) => Err(vec![fault.words()]),
            Err(error) => Err(vec![failed(&error)]),
        }
    }

    /// Writes down what somebody did, before they are told that it is done.
    async fn book(&self, what: What, person: String, about: String, words: String) {
        let folder = self.config.journal.data_folder.clone();
        let note = move || book::by_page(&folder, what, &person, &about, &words);
        tokio::task::spawn_blocking(note).await.ok();
    }

    async fn test(self: Arc<Self>, name: String, person: String) -> Acted {
        let tested = match channels::test(&self.config, &name).await {
            Ok(tested) => tested,
            Err(error) => return Err(vec![failed(&error)]),
        };
        let status = tested.status.map_or(String::new(), |status| status.to_string());
        let said = tested.words.trim();
        let parts = [&*status, said].into_iter().filter(|part| !part.is_empty());
        let answer = parts.collect::<Vec<_>>().join(": ");
        let channel = tested.channel;
        let words = match &*answer {
            "" => tested.outcome.to_owned(),
            answer => format!("{}: {answer}", tested.outcome),
        };
        self.book(What::ChannelTested, person, channel.clone(), words).await;
        match tested.outcome {
            "confirmed" => Ok(vec![Came::Tested { channel, answer }.words()]),
            other => {
                let later = other == "later";
                Err(vec![came::Refusal::Untested { channel, later, answer }.words()])
            }
        }
    }

    /// Tells what the folder of the seeds would change.
    async fn seeds_differ(self: Arc<Self>) -> EditionView {
        let digest = self.registry().map_or_else(String::new, |one| one.digest.to_string());
        let folder = self.config.seeds.display().to_string();
        let view = EditionView { digest, folder, ..EditionView::default() };
        let none = view.clone();
        // Reading and compiling tables takes its time.
        let task = tokio::task::spawn_blocking(move || self.differing(view));
        task.await.unwrap_or(none)
    }

    fn differing(&self, mut view: EditionView) -> EditionView {
        let faults = match self.changes(&view.digest) {
            Ok((changes, faults)) => {
                view.changes_of = changes.len();
                view.changes = changes;
                faults
            }
            Err(faults) => faults,
        };
        view.faults_of = faults.len();
        view.faults = faults;
        view.changes.truncate(CHANGES_SHOWN_MAX);
        view.faults.truncate(CHANGES_SHOWN_MAX);
        view
    }

    /// Gives the rows that differ, and what is wrong with the folder; or why neither is known.
    fn changes(&self, digest: &str) -> Result<(Vec<String>, Vec<String>), Vec<String>> {
        let told = |error: &dyn std::fmt::Display| vec![error.to_string()];
        let reader =
            Reader::open(&self.config.journal.data_folder).map_err(|error| told(&error))?;
        let held = reader.edition(digest).map_err(|error| told(&error))?;
        let held = held.ok_or_else(|| vec!["the journal lacks the edition in force".to_owned()])?;
        let old = Edition::from_bytes(&held.tables).map_err(|error| told(&error))?;
        let lines = |faults: Vec<crate::domain::fault::Fault>| -> Vec<String> {
            faults.iter().map(ToString::to_string).collect()
        };
        let new = Tables::read(&self.config.seeds).map_err(lines)?;
        let changes = seed::diff(&old.tables, &new).iter().map(ToString::to_string).collect();
        let (judgement, networks) = (self.config.judgement(), self.config.networks());
        let edition = Edition { judgement, networks, tables: new };
        Ok((changes, check::compiled(&edition).map_or_else(lines, |_| Vec::new())))
    }

    fn registry(&self) -> Option<Arc<Registry>> {
        self.status.view.load().as_ref().map(|view| Arc::clone(&view.registry))
    }

    /// Gives what is known of weir itself.
    pub(super) fn weir(&self) -> WeirView {
        let aside = self.status.set_aside.load();
        let mut page = WeirView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            full: self.status.full.load().as_ref().map(|full| full.to_string()),
            set_aside: aside.iter().map(|file| file.display().to_string()).collect(),
            brokers: self.broker_states(),
            threads: self.threads(),
            settings: settings::settings(&self.config),
            ..WeirView::default()
        };
        let mut now = None;
        if let Some(view) = &*self.status.view.load() {
            let second = view.at.wall.plus(-view.at.wall.millis().rem_euclid(SECOND));
            page.at = second.rfc3339(&self.home);
            page.edition = edition(&view.registry);
            now = Some(view.at.wall);
        }
        page.zone = now.map_or_else(|| "UTC".to_owned(), |now| offset(&self.home, now));
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.add_kept(&mut page, &reader, now) {
            page.unread = Some(error.to_string());
        }
        page
    }

    fn threads(&self) -> Vec<ThreadState> {
        let section = self.config.heartbeat.as_ref();
        let longest = section.map_or_else(stuck_after_s, |section| section.stuck_after_s);
        let names = [
            Text::new("pipeline: since it heard the clock", "处理线程，距上次动作"),
            Text::new("committer: at one piece of work", "提交线程，当前任务用时"),
        ];
        let signs = self.status.pulse.quiet().into_iter().zip(names);
        signs
            .map(|(quiet, name)| ThreadState {
                name,
                quiet_s: quiet.map(|quiet| quiet.as_secs()),
                stuck: quiet.is_some_and(|quiet| quiet > Duration::from_secs(longest)),
            })
            .collect()
    }

    fn broker_states(&self) -> Vec<BrokerState> {
        let url = |network: &str| {
            let found = self.config.brokers.iter().find(|one| one.network == network);
            found.map_or_else(String::new, |one| settings::host(&one.url))
        };
        let brokers = self.status.brokers().into_iter();
        brokers
            .map(|broker| {
                let Replied { sent, expired, dropped } = broker.replies.replied();
                BrokerState {
                    url: url(&broker.network),
                    refused: broker.refused.iter().map(words).collect(),
                    dropped: broker.dropped,
                    certificate_ends: broker.certificate_ends.map(|at| at.rfc3339(&self.home)),
                    replies: [sent, expired, dropped],
                    fault: broker.fault,
                    network: broker.network,
                }
            })
            .collect()
    }

    fn add_kept(
        &self,
        page: &mut WeirView,
        reader: &Reader,
        now: Option<Timestamp>,
    ) -> Result<(), Error> {
        let clock = |at: Timestamp| at.rfc3339(&self.home);
        page.ledger = self.ledger(reader)?;
        let cursor = reader.cursor(SINK)?;
        let waiting = cursor.filter(|cursor| cursor.waiting > 0);
        let oldest = match waiting {
            Some(cursor) => reader.first_after(cursor.sequence)?,
            None => None,
        };
        page.sinks.push(SinkState {
            name: self.sink.clone(),
            waiting: cursor.map_or(0, |cursor| cursor.waiting),
            oldest_s: oldest.zip(now).map(|(at, now)| (now.since(at) / SECOND).max(0)),
            taken: self
                .config
                .influx
                .is_some()
                .then(|| self.status.points_delivered.load(Ordering::Relaxed)),
            refused: cursor.map_or(0, |cursor| cursor.refused),
            fault: self.status.sink_fault.load().as_ref().map(|fault| fault.to_string()),
        });
        let refused = reader.refused(REFUSALS_SHOWN_MAX)?.into_iter();
        page.refusals = refused
            .map(|one| Refusal {
                at: clock(one.at),
                line: one.line.chars().take(300).collect(),
                field: one.field,
                words: one.words,
            })
            .collect();
        (page.letters, page.letters_of) = self.letters_told(reader, LETTERS_SHOWN_MAX)?;
        page.channels = self.channel_states(reader)?;
        let bytes_max = self.config.journal.journal_bytes_max;
        let bytes = reader.bytes()?;
        let share = (bytes.saturating_mul(100)).checked_div(bytes_max).unwrap_or(0);
        page.journal = JournalState {
            bytes,
            bytes_max,
            share,
            filling: share >= FILLING_SHARE,
            oldest_input: clock(reader.raw_since()?.at),
            raw_keep_days: self.config.journal.raw_keep_days,
            points_damaged: reader.set_aside()?.points,
            embedded: reader.observation_count()?,
        };
        Ok(())
    }

    pub(super) fn ledger(&self, reader: &Reader) -> Result<LedgerView, Error> {
        let ledger = reader.ledger()?;
        let total = ledger.total();
        Ok(LedgerView {
            since: ledger.since.rfc3339(&self.home),
            messages: counts(total.messages),
            readings: counts(total.readings),
            unprotected: total.unprotected,
            balances: total.balances(),
        })
    }

    /// Gives how many dead letters there are of each kind, with the reason of the newest.
    pub(super) fn letter_counts(&self, reader: &Reader) -> Result<Vec<LetterCount>, Error> {
        self.letters_counted(reader, &reader.letter_words()?)
    }

    /// The same, where the reasons are read already.
    pub(super) fn letters_counted(
        &self,
        reader: &Reader,
        words: &[crate::journal::read::LetterWords],
    ) -> Result<Vec<LetterCount>, Error> {
        let of_kind = |device: &str, channel: &str, code: &str| {
            let same = |one: &&crate::journal::read::LetterWords| {
                one.device == device && one.channel == channel && one.code == code
            };
            words.iter().find(same).map_or_else(String::new, |one| one.words.clone())
        };
        let held = reader.dead_letter_counts()?.into_iter();
        let counted = held.map(|one| LetterCount {
            words: of_kind(&one.device, &one.channel, &one.code),
            device: one.device,
            channel: one.channel,
            stage: one.stage,
            code: one.code,
            total: one.total,
            kept: one.kept,
            last_at: one.last_at.rfc3339(&self.home),
        });
        Ok(counted.collect())
    }

    fn channel_states(&self, reader: &Reader) -> Result<Vec<ChannelState>, Error> {
        let states = channels::list(&self.config).into_iter().map(|one| {
            let last = reader.last_tried(&one.name)?.map(|last| LastTold {
                at: last.at.rfc3339(&self.home),
                attempts: last.attempts,
                words: last.words,
                confirmed_at: last.confirmed_at.map(|at| at.rfc3339(&self.home)),
            });
            Ok(ChannelState {
                waiting: reader.notifications_waiting(&one.name)?,
                last,
                name: one.name,
                kind: one.kind.to_owned(),
                routes: one.routes,
                step: one.step,
                per_minute: one.per_minute,
            })
        });
        states.collect()
    }
}

fn edition(registry: &Registry) -> EditionState {
    EditionState {
        digest: registry.digest.to_string(),
        stations: registry.stations.iter().count(),
        devices: registry.devices.iter().count(),
        datastreams: registry.datastreams.iter().count(),
        limits: registry.limits.iter().count(),
        rules: registry.rules.iter().count(),
    }
}
