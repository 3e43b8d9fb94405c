//! Rules about the silence of what stands between stations and weir: a gateway, a whole network.

use std::collections::{BTreeSet, HashMap};

use crate::domain::alert::Subject;
use crate::domain::name::{DeviceId, NetworkId, RuleId};
use crate::seed::draft::Draft;
use crate::seed::rule::{Kind, Scope};
use crate::seed::sheet::{Cells, quoted};

/// What a rule about silence watches: `of`.
pub(super) fn kind(cells: &mut Cells<'_>) -> Kind {
    match cells.text("of") {
        "" => Kind::Silence,
        "gateway" => Kind::SilentGateway,
        "network" => Kind::SilentNetwork,
        _ => {
            cells.refuse("of", "`gateway`, `network`, or nothing for stations and datastreams,");
            Kind::Silence
        }
    }
}

/// Reads whom such a rule watches.
pub(super) fn scope(cells: &mut Cells<'_>, kind: Kind, draft: &Draft) -> Option<Scope> {
    let text = cells.text("scope");
    if text == "networks" {
        return Some(Scope::Networks);
    }
    match (text.split_once(':'), kind) {
        (Some(("network", name)), _) => {
            cells.find_part("scope", name, &draft.networks).map(Scope::Network)
        }
        (Some(("gateway", name)), Kind::SilentGateway) => gateway(cells, name, draft),
        (_, Kind::SilentGateway) => {
            let expected = "`networks`, `network:` and a name, or `gateway:` with network and \
                            device, such as `gateway:parks/gw-1`,";
            cells.refuse("scope", expected);
            None
        }
        (_, _) => {
            cells.refuse("scope", "`networks`, or `network:` and a name,");
            None
        }
    }
}

fn gateway(cells: &mut Cells<'_>, name: &str, draft: &Draft) -> Option<Scope> {
    let registry = &draft.registry;
    let found = name.split_once('/').and_then(|(network, device)| {
        let network = draft.networks.ids.get(network)?;
        registry.device_ids.get(&(*network, device.into())).copied()
    });
    let Some(id) = found else {
        if draft.datastreams.whole {
            cells.fault(quoted(name), "network and device of a row of devices.csv in `scope`");
        }
        return None;
    };
    if draft.datastreams.whole && !gateways(draft).contains(&id) {
        let found = format!("`{name}`, by way of which no device speaks");
        cells.fault(found, "a gateway in `scope`: a device that others name as `gateway`");
    }
    Some(Scope::Gateway(id))
}

/// Gives the devices by way of which others speak at one time or another.
fn gateways(draft: &Draft) -> BTreeSet<DeviceId> {
    let devices = draft.registry.devices.iter();
    devices.flat_map(|device| draft.registry.gateways_ever(device)).collect()
}

/// Gives every gateway and network the rule of the narrowest scope.
pub(super) fn watch(scoped: &HashMap<(Kind, Scope), RuleId>, draft: &mut Draft) {
    let of = |kind, scopes: &[Scope]| {
        scopes.iter().find_map(|scope| scoped.get(&(kind, scope.clone()))).copied()
    };
    let registry = &draft.registry;
    let is_broker = |network: &NetworkId| !registry.is_import(*network);
    let networks = draft.networks.ids.values().copied().filter(is_broker).filter_map(|network| {
        let rule = of(Kind::SilentNetwork, &[Scope::Network(network), Scope::Networks])?;
        Some((Subject::Network(network), rule))
    });
    let gateways = gateways(draft);
    let gateways = gateways.iter().filter_map(|id| {
        let network = registry.devices.get(id.index())?.network;
        let scopes = [Scope::Gateway(*id), Scope::Network(network), Scope::Networks];
        Some((Subject::Device(*id), of(Kind::SilentGateway, &scopes)?))
    });
    draft.registry.line_rules = networks.chain(gateways).collect();
}
