//! Alert rules and whom they watch.

mod further;
mod line;
mod rises;

use std::collections::{HashMap, HashSet};

use crate::domain::alert::{Route, Severity, WeirCondition};
use crate::domain::assessment::Averaging;
use crate::domain::cause::TestFlags;
use crate::domain::evaluation::{Evaluated, Index};
use crate::domain::fault::Fault;
use crate::domain::name::{
    DatastreamId, DeviceId, NameKind, NetworkId, PlaceId, PropertyId, RuleId, SetId, StationId,
};
use crate::domain::observation::{Period, Periods};
use crate::domain::quality::{Flag, Test};
use crate::domain::registry::{
    Datastream, Persistence, Registry, Rise, Rule, RuleKind, StationStage, Statistic, Worse,
};
use crate::seed::cell;
use crate::seed::draft::Draft;
use crate::seed::sheet::{Cells, RULES, Row, Sheet, Sheets, quoted};

/// Whom a rule watches.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Scope {
    Medium(Box<str>),
    Property(PropertyId),
    Place(PlaceId),
    Station(StationId),
    Datastream(DatastreamId),
    Set(SetId),
    Weir(Option<WeirCondition>),
    Networks,
    Network(NetworkId),
    Gateway(DeviceId),
}

/// What a rule watches, without its numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Exceedance,
    Silence,
    SilentGateway,
    SilentNetwork,
    Instrument,
    Rise,
    NotAssessable,
    Index(Index, Period),
    Weir,
}

/// Reads `rules.csv` and gives every datastream the rules of the narrowest scope; those of a
/// station on trial have none.
pub(super) fn rules(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&RULES);
    let mut scoped: HashMap<(Kind, Scope), RuleId> = HashMap::new();
    let mut seen = HashSet::new();
    let mut lines = HashMap::new();
    let mut faults = std::mem::take(&mut draft.faults);
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut faults);
        let name = cells.name("rule");
        if !seen.insert(name.to_owned()) {
            cells.refuse("rule", "each rule once");
        }
        let (kind, what) = kind(&mut cells);
        let scope = match scope(&mut cells, kind, draft) {
            Some(Scope::Weir(_)) => Some(Scope::Weir(weir_condition(&what))),
            scope => scope,
        };
        let id = RuleId(draft.names.id(NameKind::Rule, name));
        let severity = severity(&mut cells);
        let rule = Rule {
            id,
            name: name.into(),
            kind: what,
            warning_share: warning_share(&mut cells, kind),
            route: route(&mut cells, kind),
            severity,
            rises: risen(&mut cells, &what, severity),
            advice_en: cells.text("advice_en").into(),
            advice_zh: cells.text("advice_zh").into(),
        };
        lines.insert(id, row);
        draft.registry.rules.put(id.index(), rule);
        if let Some(condition) = weir_condition(&what) {
            draft.registry.weir_rules.push((condition, id));
        }
        let Some(scope) = scope else { continue };
        if scoped.insert((kind, scope), id).is_some() {
            cells.refuse("scope", "one rule of a kind for each scope");
        }
    }
    line::watch(&scoped, draft);
    assign(draft, &scoped, (sheet, &lines), &mut faults);
    draft.registry.evaluated_rules = evaluated(&draft.registry, &scoped);
    draft.faults = faults;
}

/// Gives every datastream its rules.
fn assign(
    draft: &mut Draft,
    scoped: &HashMap<(Kind, Scope), RuleId>,
    (sheet, lines): (&Sheet, &HashMap<RuleId, &Row>),
    faults: &mut Vec<Fault>,
) {
    let mut idle = HashSet::new();
    let ids: Vec<DatastreamId> = draft.datastreams.ids.values().copied().collect();
    for id in ids {
        let Some(stream) = draft.registry.datastream(id) else { continue };
        // Nobody on duty is called for a station on trial.
        let station = draft.registry.station(stream.station);
        if station.is_some_and(|station| station.stage == StationStage::Trial) {
            continue;
        }
        let scopes = scopes(&draft.registry, stream);
        let of = |kind: Kind| {
            scopes.iter().find_map(|scope| scoped.get(&(kind, scope.clone()))).copied()
        };
        let (exceedance, silence) = (of(Kind::Exceedance), of(Kind::Silence));
        let instrument = of(Kind::Instrument);
        let (rise, not_assessable) = (of(Kind::Rise), of(Kind::NotAssessable));
        if let Some(rule) = exceedance.filter(|rule| never_fires(&draft.registry, stream, *rule))
            && idle.insert(rule)
            && let Some(row) = lines.get(&rule)
        {
            let expected = format!("`raw`, since weir makes no such average of `{}`,", stream.name);
            sheet.cells(row, faults).refuse("of", expected);
        }
        if let Some(stream) = draft.registry.datastreams.get_mut(id.index()) {
            stream.exceedance_rule = exceedance;
            stream.silence_rule = silence;
            stream.instrument_rule = instrument;
            stream.rise_rule = rise;
            stream.not_assessable_rule = not_assessable;
        }
    }
}

/// Gives every station, set and place that may be evaluated the rules of the narrowest scope.
fn evaluated(
    registry: &Registry,
    scoped: &HashMap<(Kind, Scope), RuleId>,
) -> HashMap<(Evaluated, Index, Period), RuleId> {
    let kinds: HashSet<(Index, Period)> = scoped
        .keys()
        .filter_map(|(kind, _)| match kind {
            Kind::Index(index, period) => Some((*index, *period)),
            Kind::Exceedance
            | Kind::Silence
            | Kind::SilentGateway
            | Kind::SilentNetwork
            | Kind::Instrument
            | Kind::Rise
            | Kind::NotAssessable
            | Kind::Weir => None,
        })
        .collect();
    let stations = registry.stations.iter().filter(|one| one.stage != StationStage::Trial);
    let stations = stations.map(|one| {
        let mut scopes = vec![Scope::Station(one.id)];
        scopes.extend(around(registry, Some(one.place)));
        (Evaluated::Station(one.id), scopes)
    });
    let sets = registry.sets.iter().map(|one| (Evaluated::Set(one.id), vec![Scope::Set(one.id)]));
    let places = registry
        .places
        .iter()
        .map(|one| (Evaluated::Place(one.id), around(registry, Some(one.id))));
    let mut rules = HashMap::new();
    for (subject, mut scopes) in stations.chain(sets).chain(places) {
        for (index, period) in &kinds {
            scopes.push(Scope::Medium(index.medium().into()));
            let mut held = scopes
                .iter()
                .filter_map(|one| scoped.get(&(Kind::Index(*index, *period), one.clone())));
            if let Some(rule) = held.next() {
                rules.insert((subject, *index, *period), *rule);
            }
            scopes.pop();
        }
    }
    rules
}

/// Gives a place and those that it is part of.
fn around(registry: &Registry, mut place: Option<PlaceId>) -> Vec<Scope> {
    let mut scopes = Vec::new();
    while let Some(id) = place {
        scopes.push(Scope::Place(id));
        place = registry.places.get(id.index()).and_then(|place| place.part_of);
    }
    scopes
}

/// Says whether a rule looks only at averages that weir doesn't make of a datastream that has
/// limits.
fn never_fires(registry: &Registry, stream: &Datastream, rule: RuleId) -> bool {
    let makes = |period| match period {
        Period::Native => true,
        Period::Hour => stream.hour_mean.is_some(),
        Period::EightHours
        | Period::Day
        | Period::DayMaxEightHours
        | Period::Month
        | Period::Quarter
        | Period::Year => stream.averages.iter().any(|average| average.period == period),
    };
    let idle = registry.rule(rule).is_some_and(|rule| match rule.kind {
        RuleKind::Exceedance { of, .. } => !of.iter().any(makes),
        RuleKind::Silence { .. }
        | RuleKind::Instrument { .. }
        | RuleKind::Rise { .. }
        | RuleKind::NotAssessable { .. }
        | RuleKind::Index { .. }
        | RuleKind::Weir(_) => false,
    });
    let own = match stream.statistic {
        Statistic::Instant | Statistic::Sample => true,
        Statistic::Mean | Statistic::Min | Statistic::Max | Statistic::Total => false,
    };
    // What is a share of many values is held against none of them.
    let held = stream.limits.iter().filter_map(|id| registry.limit(*id)).any(|limit| {
        match limit.averaging {
            Averaging::Any | Averaging::Of(_) => true,
            Averaging::Week | Averaging::Statistical => false,
        }
    });
    idle && own && held
}

/// The scopes a datastream is in, the narrowest first.
fn scopes(registry: &Registry, stream: &Datastream) -> Vec<Scope> {
    let mut scopes = vec![Scope::Datastream(stream.id), Scope::Station(stream.station)];
    let place = registry.station(stream.station).map(|station| station.place);
    scopes.extend(around(registry, place));
    scopes.push(Scope::Property(stream.property));
    if let Some(property) = registry.property(stream.property) {
        scopes.push(Scope::Medium(property.medium.clone()));
    }
    scopes
}

fn scope(cells: &mut Cells<'_>, kind: Kind, draft: &Draft) -> Option<Scope> {
    let text = cells.text("scope");
    if kind == Kind::Weir || text == "weir" {
        if kind != Kind::Weir || text != "weir" {
            cells.refuse("scope", "`weir` for a rule of kind `weir`, and only there,");
        }
        return Some(Scope::Weir(None));
    }
    if matches!(kind, Kind::SilentGateway | Kind::SilentNetwork) {
        return line::scope(cells, kind, draft);
    }
    let evaluated = matches!(kind, Kind::Index(..));
    match text.split_once(':') {
        Some(("property" | "datastream", _)) if evaluated => {
            let expected = "`medium:`, `place:`, `station:` or `set:` and a name for an index";
            cells.refuse("scope", expected);
            None
        }
        Some(("set", name)) if evaluated => {
            let set = draft.registry.sets.iter().find(|set| *set.name == *name);
            if set.is_none() {
                cells.fault(quoted(name), "a set of members.csv in `scope`");
            }
            set.map(|set| Scope::Set(set.id))
        }
        Some(("medium", medium)) => {
            let mut properties = draft.registry.properties.iter();
            if draft.properties.whole && !properties.any(|held| *held.medium == *medium) {
                cells.fault(quoted(medium), "a medium of properties.csv in `scope`");
            }
            Some(Scope::Medium(medium.into()))
        }
        Some(("property", name)) => {
            cells.find_part("scope", name, &draft.properties).map(Scope::Property)
        }
        Some(("place", name)) => cells.find_part("scope", name, &draft.places).map(Scope::Place),
        Some(("station", name)) => {
            cells.find_part("scope", name, &draft.stations).map(Scope::Station)
        }
        Some(("datastream", name)) => {
            cells.find_part("scope", name, &draft.datastreams).map(Scope::Datastream)
        }
        Some(_) | None => {
            cells.refuse(
                "scope",
                "`medium:`, `property:`, `place:`, `station:` or `datastream:` and a name, or \
                 `weir`",
            );
            None
        }
    }
}

fn kind(cells: &mut Cells<'_>) -> (Kind, RuleKind) {
    let kind = cells.word(
        "kind",
        ("exceedance", Kind::Exceedance),
        &[
            ("silence", Kind::Silence),
            ("instrument", Kind::Instrument),
            ("rise", Kind::Rise),
            ("not_assessable", Kind::NotAssessable),
            ("index", Kind::Index(Index::WaterClass, Period::Native)),
            ("weir", Kind::Weir),
        ],
    );
    let kind = if kind == Kind::Silence { line::kind(cells) } else { kind };
    if kind != Kind::Instrument {
        cells.empty(&["tests"], "a rule that watches no instrument");
    }
    let what = match kind {
        Kind::Exceedance => {
            cells.empty(&["level", "intervals"], "an exceedance");
            let hysteresis = cells.number("hysteresis");
            if !(0.0..1.0).contains(&hysteresis) {
                cells.refuse("hysteresis", "a share from 0 to below 1");
            }
            RuleKind::Exceedance {
                of: periods(cells),
                pending: persistence(cells, "pending"),
                keep: persistence(cells, "keep"),
                hysteresis,
            }
        }
        Kind::Silence | Kind::SilentGateway | Kind::SilentNetwork => {
            cells.empty(&["level", "pending", "keep", "hysteresis"], "a silence");
            let intervals = cells.number("intervals");
            if intervals < 1.0 {
                cells.refuse("intervals", "a number of at least 1");
            }
            RuleKind::Silence { intervals }
        }
        Kind::Instrument => {
            cells.empty(&["of", "level", "hysteresis", "intervals"], "an instrument");
            RuleKind::Instrument {
                tests: tests(cells),
                pending: persistence(cells, "pending"),
                keep: persistence(cells, "keep"),
            }
        }
        Kind::Rise => further::rise(cells),
        Kind::NotAssessable => further::not_assessable(cells),
        Kind::Index(..) => further::index(cells),
        Kind::Weir => {
            let none = ["of", "pending", "keep", "hysteresis", "intervals"];
            cells.empty(&none, "a rule about weir");
            let words = WeirCondition::ALL.map(|condition| (condition.word(), condition));
            let [first, rest @ ..] = words;
            RuleKind::Weir(cells.word("level", first, &rest))
        }
    };
    let kind = match what {
        RuleKind::Index { index, of, .. } => Kind::Index(index, of),
        RuleKind::Exceedance { .. }
        | RuleKind::Silence { .. }
        | RuleKind::Instrument { .. }
        | RuleKind::Rise { .. }
        | RuleKind::NotAssessable { .. }
        | RuleKind::Weir(_) => kind,
    };
    (kind, what)
}

/// Reads the periods of values that a rule looks at.
fn periods(cells: &mut Cells<'_>) -> Periods {
    let word = |period: Period| if period == Period::Native { "raw" } else { period.word() };
    let all = std::iter::once(Period::Native).chain(Period::AVERAGED);
    let read = |text: &str| all.clone().find(|period| word(*period) == text);
    let mut periods = Periods::default();
    for text in cells.text("of").split(' ') {
        match read(text).filter(|period| !periods.holds(*period)) {
            Some(period) => periods = periods.with(period),
            None => {
                let words: Vec<String> = all.clone().map(|period| quoted(word(period))).collect();
                cells.refuse("of", format!("each once, with spaces between: {}", words.join(", ")));
                break;
            }
        }
    }
    periods
}

/// Reads which flags of which tests speak of an instrument: tests, each with the flag from which
/// on where it is not the usual one. Without any, the usual ones do.
fn tests(cells: &mut Cells<'_>) -> TestFlags {
    let usual = |test| TestFlags::USUAL.into_iter().find(|(of, _)| *of == test);
    let read = |text: &str| {
        let (name, from) = text.split_once(':').unwrap_or((text, ""));
        let test = Test::ALL.into_iter().find(|test| test.name() == name)?;
        match from {
            "" => usual(test),
            "suspect" => Some((test, Flag::Suspect)),
            "fail" => Some((test, Flag::Fail)),
            _ => None,
        }
    };
    let text = cells.text("tests");
    if text.is_empty() {
        return TestFlags::USUAL.into_iter().collect();
    }
    let found: Option<TestFlags> = text.split(' ').map(read).collect();
    found.unwrap_or_else(|| {
        let names: Vec<String> =
            TestFlags::USUAL.into_iter().map(|(test, _)| quoted(test.name())).collect();
        let expected = format!(
            "tests with spaces between, each with `:suspect` or `:fail` or as it is usual: {}; \
             or nothing for all of these",
            names.join(", ")
        );
        cells.refuse("tests", expected);
        TestFlags::default()
    })
}

/// Reads who is called; where the rule does not say, its kind does.
fn route(cells: &mut Cells<'_>, kind: Kind) -> Route {
    let usual = match kind {
        Kind::Exceedance | Kind::Rise | Kind::Index(..) => Route::Environment,
        Kind::Silence
        | Kind::SilentGateway
        | Kind::SilentNetwork
        | Kind::Instrument
        | Kind::NotAssessable => Route::Instrument,
        Kind::Weir => Route::Weir,
    };
    let text = cells.text("route");
    if text.is_empty() {
        return usual;
    }
    Route::from_word(text).unwrap_or_else(|| {
        let words = Route::ALL.map(|route| quoted(route.word()));
        cells.refuse("route", format!("{} or nothing", words.join(", ")));
        usual
    })
}

fn warning_share(cells: &mut Cells<'_>, kind: Kind) -> Option<f64> {
    if kind != Kind::Exceedance {
        cells.empty(&["warning_share"], "a rule that watches no limit");
        return None;
    }
    let share = cells.optional_number("warning_share")?;
    if !(0.0..1.0).contains(&share) || share == 0.0 {
        cells.refuse("warning_share", "a share above 0 and below 1, such as 0.8,");
    }
    Some(share)
}

fn weir_condition(kind: &RuleKind) -> Option<WeirCondition> {
    match kind {
        RuleKind::Weir(condition) => Some(*condition),
        RuleKind::Exceedance { .. }
        | RuleKind::Silence { .. }
        | RuleKind::Instrument { .. }
        | RuleKind::Rise { .. }
        | RuleKind::NotAssessable { .. }
        | RuleKind::Index { .. } => None,
    }
}

/// How many of the last values a rule looks at, at most.
const OF_MAX: u8 = 32;

fn persistence(cells: &mut Cells<'_>, column: &str) -> Persistence {
    let text = cells.text(column);
    let values = text.parse::<u32>().ok().filter(|values| *values > 0).map(Persistence::Values);
    let found = values.or_else(|| so_many_of(text));
    let found = found.or_else(|| cell::duration(text).map(Persistence::Millis));
    if found.is_none() {
        cells.refuse(
            column,
            format_args!(
                "a number of values such as `2`, so many of the last values such as `3/5` (of \
                 {OF_MAX} at most), or a duration such as `10m`"
            ),
        );
    }
    found.unwrap_or(Persistence::Values(1))
}

/// Reads `3/5`.
fn so_many_of(text: &str) -> Option<Persistence> {
    let (need, of) = text.split_once('/')?;
    let (need, of) = (need.parse::<u8>().ok()?, of.parse::<u8>().ok()?);
    let fits = (1..=of).contains(&need) && of <= OF_MAX;
    fits.then_some(Persistence::Of { need, of })
}

fn risen(cells: &mut Cells<'_>, what: &RuleKind, severity: Severity) -> Box<[Rise]> {
    match *what {
        RuleKind::Exceedance { .. } => rises::rises(cells, severity),
        RuleKind::Index { index, worse: Worse::Grade(bad), .. } => {
            rises::by_grade(cells, severity, (index, bad))
        }
        RuleKind::Index { .. }
        | RuleKind::Silence { .. }
        | RuleKind::Instrument { .. }
        | RuleKind::Rise { .. }
        | RuleKind::NotAssessable { .. }
        | RuleKind::Weir(_) => {
            cells.empty(&["rises"], "a rule that watches neither a limit nor a grade");
            Box::default()
        }
    }
}

fn severity(cells: &mut Cells<'_>) -> Severity {
    let words = [Severity::Notice, Severity::Warning, Severity::Critical];
    let [first, rest @ ..] = words.map(|severity| (severity.word(), severity));
    cells.word("severity", first, &rest)
}
