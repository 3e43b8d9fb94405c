//! The network of tables that are imported. No broker has it: it is there once a row names it.

use crate::domain::name::{NameKind, NetworkId};
use crate::domain::registry::{IMPORT, Registry};
use crate::seed::draft::Draft;
use crate::seed::sheet::{Cells, DEVICES, Sheets, TOPICS};

/// What the row of `topics.csv` says of a table that is imported, as `weir import` writes it.
const ROW: [(&str, &str); 10] = [
    ("pattern", "{node}/{device}"),
    ("format", "csv"),
    ("device", ""),
    ("time", "time"),
    ("time_unit", "rfc3339"),
    ("each", ""),
    ("channel", "channel"),
    ("value", "value"),
    ("unit", "unit"),
    ("options", ""),
];

/// Makes the network, if a row names it.
pub(super) fn network(sheets: &Sheets, draft: &mut Draft) {
    let named = [&TOPICS, &DEVICES].into_iter().any(|schema| {
        let sheet = sheets.get(schema);
        sheet.rows.iter().any(|row| sheet.text(row, "network") == IMPORT)
    });
    if named {
        let id = NetworkId(draft.names.id(NameKind::Network, IMPORT));
        draft.registry.networks.put(id.index(), IMPORT.into());
        draft.registry.import = Some(id);
        draft.networks.ids.insert(IMPORT.into(), id);
    }
}

/// Makes every device one whose tables may be imported, by its network and its name.
pub(super) fn devices(draft: &mut Draft) {
    let Some(import) = draft.registry.import else { return };
    let registry = &mut draft.registry;
    for device in registry.devices.iter() {
        let network = registry.networks.get(device.network.index()).map_or("", |name| name);
        let name = format!("{network}/{}", device.name);
        registry.device_ids.entry((import, name.into())).or_insert(device.id);
    }
}

/// Refuses a row of the network that is not what `weir import` writes.
pub(super) fn topic(cells: &mut Cells<'_>, registry: &Registry, network: NetworkId) {
    if !registry.is_import(network) {
        return;
    }
    for (column, text) in ROW {
        if cells.text(column) != text {
            let text = if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") };
            cells.refuse(column, format_args!("{text} for the network `{IMPORT}`"));
        }
    }
}
