//! The quality of an observation by all that stands around it: the values before and after it, what
//! other properties say, what is known of its station. The newest is judged by what is remembered,
//! without a look back; what comes between others, or is told anew, by the ring. Where more is
//! known of a value by now, its flag is told again, and what was made of it is made anew.

use crate::domain::history::Entry;
use crate::domain::observation::{Observation, Period, QualifiedObservation};
use crate::domain::quality::{Flag, Quality, Test};
use crate::domain::registry::{Attenuated, Datastream, Qc, Registry};
use crate::domain::time::{Moment, Timestamp};
use crate::pipeline::backlog::Backlog;
use crate::pipeline::concern::look_back_ms;
use crate::pipeline::cross::{InSeries, asks_neighbours, judge_by_calibration};
use crate::pipeline::state::StreamState;
use crate::pipeline::{Pipeline, Processed};
use crate::qc::flat_line::{Run, Timed};
use crate::qc::{self, Around, Memory, attenuated_signal, spike};

/// What is judged of the newest value of a datastream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// Its quality.
    pub(super) quality: Quality,
    /// What is remembered of the series with it.
    pub(super) memory: Memory,
    /// The value before it, where this one tells more of it.
    pub(super) last: Option<Entry>,
}

/// What a value that the ring holds was judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// The value, with what tells of it alone.
    pub(super) entry: Entry,
    /// What the spike test said, kept or not.
    pub(super) spike: Flag,
    /// The value with all flags that are kept.
    pub(super) known: Entry,
    /// What stands around it.
    pub(super) around: Around,
    /// The flat line that ends at it.
    pub(super) run: Run,
    /// What other series were asked with.
    pub(super) series: InSeries,
}

/// When and from where something is told anew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling {
    pub(super) now: Moment,
    pub(super) backlog: Option<Backlog>,
}

impl Pipeline {
    /// Judges a value that is newer than all that its datastream holds; its quality so far is what
    /// it says of itself.
    pub(super) fn judge_newest(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        entry: Entry,
    ) -> Judged {
        let mut judged = Judged { quality: entry.quality, memory: Memory::default(), last: None };
        let (Some(stream), Some(station)) =
            (self.state.stream(datastream), registry.station(datastream.station))
        else {
            return judged;
        };
        let (qc, time) = (&*datastream.qc, entry.time);
        let last =
            stream.history.newest().filter(|last| stands_beside(datastream, last.time, time));
        let around = Around {
            before: last.and_then(|last| Some((last.time, last.beside()?))),
            last: stream.history.newest().map(|last| last.time),
            companion: self.companion(registry, datastream, time),
            attenuated_signal: attenuated(qc, entry, &signal(qc, stream, time)),
            ..Around::default()
        };
        let quality = &mut judged.quality;
        qc::judge(qc, (time, &station.zone), entry.result.number(), &around, quality);
        let series = InSeries {
            before: around.before,
            neighbour: last.map_or(Flag::NotEvaluated, |last| last.quality.flag(Test::Neighbour)),
            level: usual_before(datastream, stream, time),
        };
        self.judge_by_others(
            registry,
            datastream,
            Entry { quality: *quality, ..entry },
            series,
            quality,
        );
        leave_out(datastream, time, quality);
        let value = Entry { quality: *quality, ..entry }.beside();
        let memory = if last.is_some() { stream.qc } else { Memory::default() };
        let known = Entry { quality: *quality, ..entry };
        judged.memory.doubted = doubted(datastream, stream.qc.doubted, &known, series);
        judged.memory.before = around.before.map(|(_, before)| before);
        if let Some(flat) = qc.flat_line {
            let back = adjoining(datastream, time, stream.history.before(time));
            let run = memory.run.next(flat, (time, known.in_line()), back);
            if entry.result.number().is_some() {
                quality.set(Test::FlatLine, run.test_at(flat, time, datastream.interval_ms()));
            }
            judged.memory.run = run;
        }
        leave_out(datastream, time, quality);
        if let (Some(spike), Some(last)) = (qc.spike, last) {
            let flag = spike::test(spike, [memory.before, last.result.number(), value]);
            let mut known = with_spike(last, flag);
            leave_out(datastream, last.time, &mut known.quality);
            judged.last = (known.quality != last.quality).then_some(known);
        }
        judged
    }

    /// Judges a value that is too old to stand in the ring: by itself.
    pub(super) fn judge_alone(
        registry: &Registry,
        datastream: &Datastream,
        entry: Entry,
    ) -> Quality {
        let mut quality = entry.quality;
        if let Some(station) = registry.station(datastream.station) {
            let at = (entry.time, &station.zone);
            let number = entry.result.number();
            qc::judge(&datastream.qc, at, number, &Around::default(), &mut quality);
        }
        judge_by_calibration(datastream, entry, &mut quality);
        // Nothing says whether it changed.
        quality.set(Test::RateOfChange, Flag::NotEvaluated);
        leave_out(datastream, entry.time, &mut quality);
        quality
    }

    /// Judges by the ring alone every value of a span that it holds, and one more that it is about
    /// to take in. Gives all of them, and what is remembered with the last.
    pub(super) fn judge_held(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        span: (Timestamp, Timestamp),
        fresh: Option<Entry>,
    ) -> (Vec<Entry>, Memory) {
        self.judge_seen(registry, datastream, span, fresh, |_| {})
    }

    /// Does the same, and shows of each value what it was judged by.
    pub(super) fn judge_seen(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        (from, to): (Timestamp, Timestamp),
        fresh: Option<Entry>,
        mut show: impl FnMut(Seen),
    ) -> (Vec<Entry>, Memory) {
        let (mut judged, mut memory) = (Vec::new(), Memory::default());
        let (Some(stream), Some(station)) =
            (self.state.stream(datastream), registry.station(datastream.station))
        else {
            return (judged, memory);
        };
        memory.doubted = stream.qc.doubted;
        let (qc, zone) = (&*datastream.qc, &station.zone);
        // A window is looked at whole each time; a line only as far back as it goes.
        let over_ms = qc.attenuated_signal.and_then(|asked| asked.over_ms);
        let begin = from.plus(-over_ms.unwrap_or(0));
        let line_begin = from.plus(-look_back_ms(datastream));
        let end = to.plus(datastream.stands_for_ms().saturating_add(1));
        let mut held = stream.history.between(begin, end);
        if let Some(fresh) = fresh {
            held.retain(|entry| entry.time != fresh.time);
            held.insert(held.partition_point(|entry| entry.time < fresh.time), fresh);
        }
        // What tells of a value alone comes first: one that fails by it is no neighbour.
        for entry in held.iter_mut().filter(|entry| from <= entry.time && entry.time < to) {
            entry.quality = cleared(entry.quality);
            self.hear_said(datastream, entry.time, &mut entry.quality);
            let (number, nothing) = (entry.result.number(), Around::default());
            qc::judge(qc, (entry.time, zone), number, &nothing, &mut entry.quality);
            let (so_far, alone) = (*entry, InSeries::default());
            self.judge_by_others(registry, datastream, so_far, alone, &mut entry.quality);
            leave_out(datastream, entry.time, &mut entry.quality);
        }
        let mut run = Run::default();
        let mut level = usual_before(datastream, stream, from);
        for at in held.partition_point(|entry| entry.time < from)..held.len() {
            let Some(entry) = held.get(at).copied().filter(|entry| entry.time < to) else { break };
            let (around, last) = self.around(registry, datastream, &held, at);
            if let Some(flat) = qc.flat_line {
                let before = held.get(..at).unwrap_or_default().iter().rev().copied();
                let older = stream.history.before(begin);
                let before = before.chain(older.take_while(|one| line_begin <= one.time));
                let back = adjoining(datastream, entry.time, before);
                let so_far = if last.is_some() { run } else { Run::default() };
                run = so_far.next(flat, (entry.time, entry.in_line()), back);
            }
            let mut quality = entry.quality;
            let number = entry.result.number();
            qc::judge(qc, (entry.time, zone), number, &around, &mut quality);
            if let (Some(flat), Some(_)) = (qc.flat_line, number) {
                let flag = run.test_at(flat, entry.time, datastream.interval_ms());
                quality.set(Test::FlatLine, flag);
            }
            let series = InSeries {
                before: around.before,
                neighbour: last.map_or(Flag::NotEvaluated, |one| one.quality.flag(Test::Neighbour)),
                level,
            };
            self.judge_by_others(registry, datastream, entry, series, &mut quality);
            let spike = quality.flag(Test::Spike);
            quality.set(Test::Spike, Flag::NotEvaluated);
            let mut known = with_spike(Entry { quality, ..entry }, spike);
            leave_out(datastream, entry.time, &mut known.quality);
            level = usual(&known).or(level);
            let before = series.before.map(|(_, before)| before);
            memory = Memory { before, run, doubted: memory.doubted };
            memory.doubted = doubted(datastream, memory.doubted, &known, series);
            if let Some(place) = held.get_mut(at) {
                *place = known;
            }
            show(Seen { entry, spike, known, around, run, series });
            judged.push(known);
        }
        (judged, memory)
    }

    /// Gives what stands around one of the values that are held, and the value before it, if no
    /// gap is between them.
    fn around(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        held: &[Entry],
        at: usize,
    ) -> (Around, Option<Entry>) {
        let Some(entry) = held.get(at) else { return (Around::default(), None) };
        let before = match at.checked_sub(1) {
            Some(before) => held.get(before).copied(),
            // A gap goes as far back as it goes.
            None => {
                let stream = self.state.stream(datastream);
                stream.and_then(|one| one.history.at_or_before(entry.time.plus(-1)))
            }
        };
        let after = held.get(at + 1);
        let last = before.filter(|last| stands_beside(datastream, last.time, entry.time));
        let next = after.filter(|next| stands_beside(datastream, entry.time, next.time));
        let around = Around {
            before: last.and_then(|last| Some((last.time, last.beside()?))),
            after: next.and_then(Entry::beside),
            last: before.map(|last| last.time),
            companion: self.companion(registry, datastream, entry.time),
            attenuated_signal: attenuated(
                &datastream.qc,
                *entry,
                held.get(..at).unwrap_or_default(),
            ),
            flat_line: Flag::NotEvaluated,
        };
        (around, last)
    }

    /// Judges anew what the ring holds of a span of a datastream, and tells what is other than it
    /// was. What is made of it is due then: see [`Pipeline::derive`].
    pub(super) fn requalify(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        span: (Timestamp, Timestamp),
        telling: Telling,
        out: &mut Processed,
    ) {
        let Some(stream) = self.state.stream(datastream) else { return };
        // What it says of the ends of the span may tell more of those beside them.
        let before = stream.history.at_or_before(span.0.plus(-1)).map(|before| before.time);
        let after = stream.history.after(span.1.plus(-1)).map(|after| after.time.plus(1));
        let span = (before.unwrap_or(span.0), after.unwrap_or(span.1));
        let Some(newest) = stream.history.newest().map(|newest| newest.time) else { return };
        let (mut judged, mut memory) = self.judge_held(registry, datastream, span, None);
        // What is packed is unpacked once for all of them.
        let mut held = stream.history.between(span.0, span.1);
        let other = |(held, one): (&Entry, &Entry)| held.beside() != one.beside();
        let stands = held.iter().zip(&judged).any(other);
        let on = stands || judged.last().is_some_and(|last| self.goes_on(datastream, last));
        if on && judged.last().is_some_and(|last| last.time < newest) {
            let all = (span.0, newest.plus(1));
            held = stream.history.between(all.0, all.1);
            (judged, memory) = self.judge_held(registry, datastream, all, None);
        }
        let Some((first, last)) = judged.first().zip(judged.last()) else { return };
        let (begin, last) = (first.time, last.time);
        self.tell_flags(registry, datastream, (&held, judged), telling, out);
        let Some(stream) = self.stream_mut(datastream) else { return };
        stream.qc.doubted = memory.doubted;
        if newest == last {
            stream.qc = memory;
        }
        if stands {
            self.inform_far(registry, datastream, (begin, last), telling, out);
        }
    }

    /// Judges a value that comes between others, or in the place of one, and its neighbours by each
    /// other. Gives its quality; `entry` has what it says of itself, and the ring does not hold it.
    pub(super) fn judge_between(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        entry: Entry,
        telling: Telling,
        out: &mut Processed,
    ) -> Quality {
        let Some(stream) = self.state.stream(datastream) else { return entry.quality };
        let before = stream.history.at_or_before(entry.time.plus(-1));
        let after = stream.history.after(entry.time);
        let newest = stream.history.newest().map_or(entry.time, |newest| newest.time);
        let from = before.map_or(entry.time, |before| before.time);
        // What follows looks back over its window.
        let over_ms = datastream.qc.attenuated_signal.and_then(|asked| asked.over_ms).unwrap_or(0);
        let window = stream.history.at_or_before(entry.time.plus(over_ms)).map(|last| last.time);
        let mut until = window.max(after.map(|after| after.time)).unwrap_or(newest).max(entry.time);
        let (mut judged, mut memory) =
            self.judge_held(registry, datastream, (from, until.plus(1)), Some(entry));
        let of = |time: Timestamp| judged.iter().find(|one| one.time == time).copied();
        let around = [before, Some(entry), after].map(|one| of(one?.time));
        let on = goes_far(datastream, around)
            || judged.last().is_some_and(|last| self.goes_on(datastream, last));
        if on && until != newest {
            until = newest;
            (judged, memory) =
                self.judge_held(registry, datastream, (from, until.plus(1)), Some(entry));
        }
        let held = stream.history.between(from, until.plus(1));
        let fresh = judged.iter().position(|one| one.time == entry.time);
        let quality = fresh.map_or(entry.quality, |at| judged.remove(at).quality);
        self.tell_flags(registry, datastream, (&held, judged), telling, out);
        if let Some(stream) = self.stream_mut(datastream) {
            stream.qc.doubted = memory.doubted;
            if until == newest {
                stream.qc = memory;
            }
        }
        quality
    }

    /// Says whether a test that goes on from value to value says something else of one than it did.
    fn goes_on(&self, datastream: &Datastream, judged: &Entry) -> bool {
        let stream = self.state.stream(datastream);
        let held = stream.and_then(|stream| stream.history.at_or_before(judged.time));
        let other =
            |test| held.is_none_or(|held| held.quality.flag(test) != judged.quality.flag(test));
        [Test::UnitMistake, Test::Neighbour, Test::FlatLine].into_iter().any(other)
    }

    /// Tells those of the judged values anew whose quality is another one than is held of them.
    fn tell_flags(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        (held, judged): (&[Entry], Vec<Entry>),
        telling: Telling,
        out: &mut Processed,
    ) {
        let mut held = held.iter();
        for entry in judged {
            // Both are in the order of time.
            let before = held.find(|one| one.time >= entry.time);
            if before.is_none_or(|one| one.quality != entry.quality) {
                self.tell_flag(registry, datastream, entry, telling, out);
            }
        }
    }

    /// Tells the quality of a value anew, if it is another one, and has what was made of the value
    /// made again.
    pub(super) fn tell_flag(
        &mut self,
        registry: &Registry,
        datastream: &Datastream,
        entry: Entry,
        telling: Telling,
        out: &mut Processed,
    ) {
        let Some(stream) = self.stream_mut(datastream) else { return };
        let held = stream.history.at_or_before(entry.time).filter(|held| held.time == entry.time);
        let Some(held) = held.filter(|held| held.quality != entry.quality) else { return };
        let Telling { now, backlog } = telling;
        let told = held.flag() != entry.flag();
        self.tally(registry, datastream, entry, Some(held.quality), now.wall);
        if told {
            self.note_hour(registry, datastream, entry, true, now.wall);
        } else {
            self.note_day(registry, datastream, entry.time, now.wall);
        }
        self.weighed.clear();
        let Some(stream) = self.stream_mut(datastream) else { return };
        stream.history.put(entry);
        let newest = stream.newest.is_some_and(|newest| newest.time == entry.time);
        if newest {
            stream.newest = Some(entry);
        }
        if !told {
            return;
        }
        let qualified = told_again(datastream, entry);
        out.observations.push(qualified);
        self.touch(registry, datastream, entry.time);
        if newest {
            self.judge(registry, datastream, &qualified, backlog, out);
            self.instrument(registry, datastream, &qualified, telling, out);
        }
    }

    /// Sets what persons and checks say of a value, and what the site's calendar does.
    pub(super) fn hear_said(
        &self,
        datastream: &Datastream,
        time: Timestamp,
        quality: &mut Quality,
    ) {
        let state = datastream.calendar.at(time).map_or(Flag::NotEvaluated, |entry| entry.flag);
        quality.set(Test::SiteCalendar, state);
        let (mut persons, mut checks) = (Flag::NotEvaluated, Flag::NotEvaluated);
        for one in self.state.invalidations.standing(datastream, time) {
            let worst = if one.by_check.is_some() { &mut checks } else { &mut persons };
            *worst = worst.or_worse(one.flag);
        }
        quality.set(Test::Person, persons);
        quality.set(Test::ControlCheck, checks);
    }

    /// Gives what the climatology's companion says at a time.
    fn companion(
        &self,
        registry: &Registry,
        datastream: &Datastream,
        time: Timestamp,
    ) -> Option<f64> {
        let companion = registry.datastream(datastream.standing.companion?)?;
        let held = self.state.stream(companion)?.history.at_or_before(time)?;
        let stands = time.since(held.time) <= companion.stands_for_ms();
        held.beside().filter(|_| stands)
    }
}

/// Runs the attenuated signal test, which looks back over its window each time.
fn attenuated(qc: &Qc, entry: Entry, before: &[Entry]) -> Flag {
    let Some(asked) = qc.attenuated_signal else { return Flag::NotEvaluated };
    let Some(own) = entry.result.number() else { return Flag::NotEvaluated };
    let from = entry.time.plus(1 - asked.over_ms.unwrap_or(0));
    let inside = before.iter().filter(|one| from <= one.time);
    let mut values: Vec<f64> = inside.filter_map(Entry::beside).collect();
    values.push(own);
    attenuated_signal::test(asked, &values)
}

/// Gives what an attenuated signal is told by before a value.
fn signal(qc: &Qc, stream: &StreamState, time: Timestamp) -> Vec<Entry> {
    let over_ms = qc.attenuated_signal.and_then(|asked| asked.over_ms);
    over_ms.map_or_else(Vec::new, |over_ms| stream.history.between(time.plus(1 - over_ms), time))
}

/// Takes out what tests say that the site's calendar leaves out.
fn leave_out(datastream: &Datastream, time: Timestamp, quality: &mut Quality) {
    if let Some(entry) = datastream.calendar.at(time) {
        entry.without.iter().for_each(|test| quality.set(test, Flag::NotEvaluated));
    }
}

/// Gives the values of the window that ends at one; none where that one is missing.
pub(super) fn window(stream: &StreamState, asked: Attenuated, entry: Entry) -> Vec<f64> {
    let Some(own) = entry.result.number() else { return Vec::new() };
    let from = entry.time.plus(1 - asked.over_ms.unwrap_or(0));
    let held = stream.history.between(from, entry.time);
    held.iter().filter_map(Entry::beside).chain([own]).collect()
}

/// Says whether a value still stood when another came: else there is a gap between them, or a
/// sensor took the place of another.
pub(super) fn stands_beside(datastream: &Datastream, before: Timestamp, after: Timestamp) -> bool {
    let renewed = |at: &Timestamp| before < *at && *at <= after;
    after.since(before) <= datastream.stands_for_ms() && !datastream.renewed.iter().any(renewed)
}

/// Takes out of a quality what is worked out from what stands around a value.
fn cleared(mut quality: Quality) -> Quality {
    for test in [
        Test::MultiVariate,
        Test::OutOfWater,
        Test::StaleAnalyser,
        Test::Neighbour,
        Test::UnitMistake,
        Test::Counter,
        Test::Spike,
    ] {
        quality.set(test, Flag::NotEvaluated);
    }
    quality
}

/// Gives the level that is usual before a time, where the unit is tested.
fn usual_before(datastream: &Datastream, stream: &StreamState, time: Timestamp) -> Option<f64> {
    datastream.qc.unit_mistake?;
    stream.history.before(time).find_map(|entry| usual(&entry))
}

/// Gives the number of a value whose unit is not in doubt.
fn usual(entry: &Entry) -> Option<f64> {
    let doubted = entry.quality.flag(Test::UnitMistake) == Flag::Suspect;
    entry.beside().filter(|number| *number > 0.0 && !doubted)
}

/// Gives when a value was last doubted, or neighbours were asked about it, once one more is judged:
/// they may tell more of it.
fn doubted(
    datastream: &Datastream,
    so_far: Option<Timestamp>,
    entry: &Entry,
    series: InSeries,
) -> Option<Timestamp> {
    let Entry { time, quality, .. } = entry;
    let doubts = [Test::Neighbour, Test::RateOfChange, Test::Climatology];
    let doubts = doubts.into_iter().any(|test| quality.flag(test) == Flag::Suspect);
    let borne_out = quality.flag(Test::Neighbour) == Flag::Pass;
    let asked = || entry.beside().is_some_and(|one| asks_neighbours(datastream, one, series));
    if doubts || borne_out || asked() { so_far.max(Some(*time)) } else { so_far }
}

/// Gives the values before a time as far as no gap is between them, the newest first.
fn adjoining(
    datastream: &Datastream,
    time: Timestamp,
    newest_first: impl Iterator<Item = Entry>,
) -> impl Iterator<Item = Timed> {
    newest_first.scan(time, move |after, entry| {
        let near = stands_beside(datastream, entry.time, *after);
        *after = entry.time;
        near.then_some((entry.time, entry.in_line()))
    })
}

/// Says whether what the second of three values tells may go on behind the third: where they
/// could be of one flat line, or the third leaves the usual level as it was.
fn goes_far(datastream: &Datastream, around: [Option<Entry>; 3]) -> bool {
    let [_, _, after] = &around;
    if datastream.qc.unit_mistake.is_some() && after.as_ref().and_then(usual).is_none() {
        return true;
    }
    let Some(flat) = datastream.qc.flat_line else { return false };
    let [before, own, after] = around.map(|entry| entry.and_then(|entry| entry.in_line()));
    let Some(after) = after else { return true };
    let near = |value: Option<f64>| value.is_none_or(|one| (one - after).abs() < flat.tolerance);
    near(before) || near(own)
}

/// Notes what the spike test says. That it passed is not kept where it changes nothing: the ring
/// would be written anew with every value.
fn with_spike(entry: Entry, flag: Flag) -> Entry {
    let mut known = entry;
    known.quality.set(Test::Spike, flag);
    match flag {
        Flag::Suspect | Flag::Fail | Flag::Missing => known,
        Flag::Pass if known.flag() != entry.flag() => known,
        Flag::Pass | Flag::NotEvaluated => entry,
    }
}

/// Gives an entry of the ring as it is told once more.
pub(super) fn told_again(datastream: &Datastream, entry: Entry) -> QualifiedObservation {
    QualifiedObservation {
        observation: observation(datastream, entry),
        quality: entry.quality,
        revision: true,
        completeness: None,
        flag_only: true,
    }
}

/// Gives the observation that an entry of the ring was.
fn observation(datastream: &Datastream, entry: Entry) -> Observation {
    Observation {
        datastream: datastream.id,
        period: Period::Native,
        phenomenon_time: datastream.span_from(entry.time),
        result: entry.result,
        raw: None,
        clock: entry.quality.flag(Test::Clock),
        mark: entry.mark,
    }
}
