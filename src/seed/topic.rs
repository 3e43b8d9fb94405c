//! What topics mean.

use crate::domain::name::{NameKind, NetworkId, TopicId};
use crate::domain::registry::{Field, Format, Level, TopicRule};
use crate::seed::draft::Draft;
use crate::seed::format::{Meaning, meaning};
use crate::seed::import;
use crate::seed::reply::DownLink;
use crate::seed::sheet::{Cells, PROFILES, Sheets, TOPICS};

/// Reads `topics.csv`.
pub(super) fn topics(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&TOPICS);
    let mut earlier: Vec<(u64, NetworkId, Vec<Level>)> = Vec::new();
    let (mut down_links, mut halves) = (Vec::new(), Vec::new());
    for (at, row) in sheet.rows.iter().enumerate() {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let network = cells.find("network", &draft.networks);
        let pattern = cells.required("pattern");
        let levels = levels(&mut cells, pattern);
        let Meaning { formats, pointers, time_unit, options } = meaning(&mut cells, &levels);
        let marks = match cells.text("marks") {
            // `Quality` means the same with every device.
            "" if formats.contains(&Format::SparkplugB) => {
                draft.registry.marks.vocabulary("sparkplug")
            }
            "" => None,
            _ => cells.find("marks", &draft.marks),
        };
        if !pointers.mark.is_empty() && cells.text("marks").is_empty() {
            cells.refuse("marks", "a vocabulary of device_marks.csv, since `mark` has a pointer,");
        }
        let Some(network) = network else { continue };
        import::topic(&mut cells, &draft.registry, network);
        let overlaps = |(_, held, other): &&(u64, NetworkId, Vec<Level>)| {
            *held == network && overlap(other, &levels)
        };
        if let Some((line, _, _)) = earlier.iter().find(overlaps) {
            let found = format!("`{pattern}`, which shares topics with line {line}");
            cells.fault(found, "patterns of one network that no topic fits twice");
        }
        earlier.push((row.line, network, levels.clone()));
        down_links.extend(DownLink::new(at, network, &options));
        if formats.contains(&Format::SparkplugB) {
            halves.push((at, network, sheet.text(row, "pattern")));
        }
        let lasting = format!("{} {pattern}", cells.text("network"));
        let id = TopicId(draft.names.id(NameKind::Topic, &lasting));
        let rule = TopicRule {
            id,
            network,
            pattern: pattern.into(),
            levels,
            formats,
            time_unit,
            pointers,
            options,
            marks,
        };
        draft.registry.topics.put(id.index(), rule);
    }
    for DownLink { row, network, levels } in down_links {
        let heard = |(_, of, pattern): &&(u64, NetworkId, Vec<Level>)| {
            *of == network && overlap(pattern, &levels)
        };
        let (Some((line, _, _)), Some(row)) = (earlier.iter().find(heard), sheet.rows.get(row))
        else {
            continue;
        };
        let expected =
            format!("a topic of answers that fits no pattern, unlike that of line {line},");
        sheet.cells(row, &mut draft.faults).refuse("options", expected);
    }
    for (row, other) in lone(&halves) {
        let Some(row) = sheet.rows.get(row) else { continue };
        let expected = format!(
            "a second row of `sparkplug_b` with `{other}`, since a node counts its messages and \
             those of its devices together,"
        );
        sheet.cells(row, &mut draft.faults).refuse("pattern", expected);
    }
}

/// Gives the rows of Sparkplug B that hear the edge nodes and not their devices, or these alone,
/// each with the pattern that is missing: what is not heard is a gap in the count of the rest.
fn lone(halves: &[(usize, NetworkId, &str)]) -> Vec<(usize, String)> {
    let of_other = |(row, network, pattern): &(usize, NetworkId, &str)| {
        let other = match pattern.strip_suffix("/{node}/{device}") {
            Some(before) => format!("{before}/{{device}}"),
            None => format!("{}/{{node}}/{{device}}", pattern.strip_suffix("/{device}")?),
        };
        let is_other = |(_, of, held): &(usize, NetworkId, &str)| of == network && *held == other;
        (!halves.iter().any(is_other)).then_some((*row, other))
    };
    halves.iter().filter_map(of_other).collect()
}

/// Refuses fields that no record of their devices' networks holds.
pub(super) fn fields(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&PROFILES);
    for row in &sheet.rows {
        let Some(field) = Field::read(sheet.text(row, "channel")) else { continue };
        let profile = draft.profiles.ids.get(sheet.text(row, "profile"));
        let standings = draft.standings.iter().filter(|one| Some(&one.profile) == profile);
        let devices = &draft.registry.devices;
        let networks = standings.filter_map(|one| Some(devices.get(one.device.index())?.network));
        let short = networks.filter_map(|network| {
            let topics = draft.registry.topics.iter().filter(|rule| rule.network == network);
            let binary = topics.filter(|rule| rule.formats.contains(&Format::Binary));
            let longest = binary.map(|rule| rule.options.record).max().unwrap_or(0);
            (field.end() > usize::from(longest)).then_some((network, longest))
        });
        let Some((network, longest)) = short.min_by_key(|(_, longest)| *longest) else { continue };
        let network = draft.registry.networks.get(network.index());
        let network = network.map_or("", |network| &**network).to_owned();
        let expected = match longest {
            0 => {
                format!("a topic of `{network}` in topics.csv with the format `binary`, if it is,")
            }
            _ => format!("a field inside the {longest} bytes of the longest record of `{network}`"),
        };
        sheet.cells(row, &mut draft.faults).refuse("channel", expected);
    }
}

fn levels(cells: &mut Cells<'_>, pattern: &str) -> Vec<Level> {
    let levels: Vec<Level> = pattern.split('/').map(Level::read).collect();
    let odd = |level: &Level| match level {
        Level::Literal(word) => word.contains(['{', '}', '+', '#']),
        Level::Device | Level::Channel | Level::Place | Level::Kind | Level::Node => false,
    };
    if levels.iter().any(odd) {
        cells.refuse(
            "pattern",
            "levels of plain words, `{device}`, `{channel}`, `{place}`, `{kind}` and `{node}`",
        );
    }
    for once in [Level::Device, Level::Channel, Level::Kind] {
        if levels.iter().filter(|level| **level == once).count() > 1 {
            cells.refuse("pattern", "one `{device}`, one `{channel}` and one `{kind}`");
        }
    }
    let node = levels.iter().position(|level| *level == Level::Node);
    if node.is_some_and(|at| levels.get(at + 1) != Some(&Level::Device)) {
        cells.refuse("pattern", "`{node}` right before `{device}`");
    }
    levels
}

/// Says whether one topic can fit both patterns.
fn overlap(one: &[Level], other: &[Level]) -> bool {
    let may_meet = |(one, other): (&Level, &Level)| match (one, other) {
        (Level::Literal(one), Level::Literal(other)) => one == other,
        (
            Level::Literal(_)
            | Level::Device
            | Level::Channel
            | Level::Place
            | Level::Kind
            | Level::Node,
            _,
        ) => true,
    };
    one.len() == other.len() && one.iter().zip(other).all(may_meet)
}
