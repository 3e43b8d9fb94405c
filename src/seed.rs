//! The seeds: tables of what is true about the world, read whole and compiled into a registry, or
//! refused whole with every fault at once. It names neither the stages nor other edges.

mod air;
mod aqi;
mod average;
mod calendar;
mod cell;
mod check;
mod counter;
mod cross;
mod derived;
mod device;
mod diff;
mod draft;
mod energy;
#[cfg(feature = "demo")]
pub mod example;
mod format;
mod grade;
mod hj212;
mod import;
mod item;
mod lay;
mod limit;
mod mark;
mod profile;
mod qc;
mod quantity;
mod reply;
mod rule;
mod sheet;
mod site;
mod stream;
mod tables;
mod topic;
mod watching;

use crate::domain::fault::Fault;

use crate::domain::judgement::Judgement;
use crate::domain::name::{NameKind, Names, NetworkId};
use crate::domain::registry::Registry;

use self::draft::Draft;
use self::sheet::Sheets;

pub(crate) use self::cell::nearest;
pub use self::diff::{Change, ChangeKind, diff};
pub(crate) use self::format::format;
pub use self::lay::lay_over;
pub(crate) use self::sheet::text;
pub use self::tables::Tables;
pub use self::watching::{Candidate, watching};

/// A fault of a table named relative to the folder of the seeds.
fn fault_in(
    table: &str,
    line: Option<u64>,
    found: impl Into<String>,
    expected: impl Into<String>,
) -> Fault {
    let file = format!("seeds/{table}");
    Fault { file, line, found: found.into(), expected: expected.into() }
}

/// Compiles an edition. `networks` are the names of the brokers of the configuration. New names
/// are given their ids in `names`, which stays as it was if anything is wrong.
///
/// # Errors
/// Every fault of every table, in the order of the tables.
pub fn compile(
    tables: &Tables,
    judgement: Judgement,
    networks: &[String],
    names: &mut Names,
) -> Result<Registry, Vec<Fault>> {
    let mut faults = Vec::new();
    let sheets = Sheets::read(tables, &mut faults);
    let mut draft = Draft::new(names.clone(), faults);
    draft.registry.digest = tables.digest(&judgement).into();
    draft.registry.judgement = judgement;
    for network in networks {
        let id = NetworkId(draft.names.id(NameKind::Network, network));
        draft.registry.networks.put(id.index(), network.as_str().into());
        draft.networks.ids.insert(network.as_str().into(), id);
    }
    import::network(&sheets, &mut draft);
    quantity::units(&sheets, &mut draft);
    quantity::properties(&sheets, &mut draft);
    air::molar_masses(&sheets, &mut draft);
    air::reference_states(&sheets, &mut draft);
    air::percentiles(&sheets, &mut draft);
    aqi::editions(&sheets, &mut draft);
    site::places(&sheets, &mut draft);
    site::stations(&sheets, &mut draft);
    site::members(&sheets, &mut draft);
    site::reaches(&sheets, &mut draft);
    mark::marks(&sheets, &mut draft);
    profile::profiles(&sheets, &mut draft);
    device::devices(&sheets, &mut draft);
    import::devices(&mut draft);
    topic::topics(&sheets, &mut draft);
    topic::fields(&sheets, &mut draft);
    stream::datastreams(&sheets, &mut draft);
    stream::calibrations(&sheets, &mut draft);
    derived::datastreams(&sheets, &mut draft);
    counter::counters(&sheets, &mut draft);
    energy::factors(&sheets, &mut draft);
    energy::targets(&sheets, &mut draft);
    energy::production(&sheets, &mut draft);
    calendar::calendar(&sheets, &mut draft);
    average::averages(&sheets, &mut draft);
    limit::limits(&sheets, &mut draft);
    qc::tests(&sheets, &mut draft);
    item::items(&sheets, &mut draft);
    grade::grades(&sheets, &mut draft);
    cross::checks(&sheets, &mut draft);
    check::checks(&sheets, &mut draft);
    cross::neighbours(&mut draft);
    cross::companions(&mut draft);
    device::feeders(&mut draft.registry);
    rule::rules(&sheets, &mut draft);
    if !draft.faults.is_empty() {
        return Err(draft.faults);
    }
    *names = draft.names;
    Ok(draft.registry)
}

/// Says whether an edition may follow another: a property that has datastreams, and so perhaps
/// observations, keeps its medium and its canonical unit, or one series would hold two quantities.
///
/// # Errors
/// Every property that would change.
pub fn may_follow(old: &Registry, new: &Registry) -> Result<(), Vec<Fault>> {
    let used = |property: &crate::domain::registry::ObservedProperty| {
        old.datastreams.iter().any(|stream| stream.property == property.id)
    };
    let mut faults = Vec::new();
    for before in old.properties.iter().filter(|property| used(property)) {
        let Some(after) = new.property(before.id) else { continue };
        let table = sheet::PROPERTIES.file;
        if before.medium != after.medium {
            faults.push(fault_in(
                table,
                None,
                format!("medium `{}` of `{}`", after.medium, after.name),
                format!("`{}`: the property has observations; add a property", before.medium),
            ));
        }
        if old.units.get(before.unit) != new.units.get(after.unit) {
            faults.push(fault_in(
                table,
                None,
                format!("canonical unit `{}` of `{}`", new.unit_name(after), after.name),
                format!(
                    "`{}` as it was: the property has observations; add a property",
                    old.unit_name(before)
                ),
            ));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
