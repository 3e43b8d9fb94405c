//! Which rules could watch a datastream, the narrowest scope first: what `weir alerts rules` shows.

use crate::domain::registry::{Datastream, Registry};
use crate::seed::Tables;
use crate::seed::sheet::{RULES, Sheets};

/// A rule in whose scope a datastream is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// What it watches, such as `exceedance`.
    pub kind: String,
    /// Its name.
    pub rule: String,
    /// Its scope, such as `place:puhe`.
    pub scope: String,
    /// The line in which it stands in `rules.csv`.
    pub line: u64,
}

/// Gives the rules in whose scope a datastream is, the narrowest scope first: of each kind the
/// first one watches it.
#[must_use]
pub fn watching(tables: &Tables, registry: &Registry, stream: &Datastream) -> Vec<Candidate> {
    let sheets = Sheets::read(tables, &mut Vec::new());
    let sheet = sheets.get(&RULES);
    let rows = || {
        sheet.rows.iter().map(|row| {
            let text = |column| sheet.text(row, column).to_owned();
            let (kind, rule, scope) = (text("kind"), text("rule"), text("scope"));
            Candidate { kind, rule, scope, line: row.line }
        })
    };
    let of = |scope: String| rows().filter(move |row| row.scope == scope);
    scopes(registry, stream).into_iter().flat_map(of).collect()
}

/// Writes the scopes a datastream is in, the narrowest first, as rules.csv does.
fn scopes(registry: &Registry, stream: &Datastream) -> Vec<String> {
    let mut scopes = vec![format!("datastream:{}", stream.name)];
    let station = registry.station(stream.station);
    scopes.extend(station.map(|station| format!("station:{}", station.name)));
    let mut place = station.and_then(|station| registry.places.get(station.place.index()));
    while let Some(held) = place {
        scopes.push(format!("place:{}", held.name));
        place = held.part_of.and_then(|id| registry.places.get(id.index()));
    }
    if let Some(property) = registry.property(stream.property) {
        scopes.push(format!("property:{}", property.name));
        scopes.push(format!("medium:{}", property.medium));
    }
    scopes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::judgement::Judgement;
    use crate::domain::name::Names;
    use crate::seed::{compile, lay_over};

    /// Of every datastream and kind the first candidate is the rule that the registry chose.
    #[test]
    fn the_first_of_a_kind_is_the_one_that_watches() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        let mut tables = Tables::read(&folder).unwrap();
        let more = "rule,scope,kind,of,pending,keep,hysteresis,intervals,severity,source\n\
            one,datastream:puhe-daoyi/ph,exceedance,raw,1,1,0,,notice,made up\n\
            two,station:puhe-daoyi,silence,,,,,2,notice,made up\n\
            three,place:puhe,exceedance,raw,1,1,0,,notice,made up\n\
            four,place:puhe,instrument,,1,1,,,notice,made up\n";
        lay_over(&mut tables, "rules.csv", more).unwrap();
        let networks = ["rivers".to_owned(), "parks".to_owned()];
        let registry = compile(&tables, Judgement::default(), &networks, &mut Names::default());
        let registry = registry.unwrap();
        let mut narrow = 0;
        for stream in registry.datastreams.iter() {
            let candidates = watching(&tables, &registry, stream);
            let first = |kind: &str| {
                let found = candidates.iter().find(|one| one.kind == kind);
                found.map(|one| one.rule.as_str())
            };
            for (kind, rule) in [
                ("exceedance", stream.exceedance_rule),
                ("silence", stream.silence_rule),
                ("instrument", stream.instrument_rule),
                ("rise", stream.rise_rule),
                ("not_assessable", stream.not_assessable_rule),
            ] {
                let watches = rule.and_then(|rule| registry.rule(rule)).map(|rule| &*rule.name);
                assert_eq!(first(kind), watches, "{} {kind}", stream.name);
                narrow += usize::from(["one", "two", "three", "four"].map(Some).contains(&watches));
            }
        }
        assert!(narrow > 20, "{narrow}");
    }
}
