//! What topics say of replies to their devices: `options` of `topics.csv`.

use crate::domain::name::NetworkId;
use crate::domain::registry::{Format, Level, Options};
use crate::seed::sheet::Cells;

/// How the option begins that says where acknowledgements of HJ 212 go.
const ACK: &str = "ack=";

/// Reads the options of a format whose devices are answered; nothing if it is none.
pub(super) fn options(cells: &mut Cells<'_>, format: Format) -> Option<Options> {
    let mut options = Options::default();
    if format == Format::Hj212 {
        let text = cells.text("options");
        match text.strip_prefix(ACK) {
            _ if text.is_empty() => {}
            Some(topic) if is_topic(topic) => options.ack = Some(topic.into()),
            Some(_) | None => cells.refuse(
                "options",
                "`ack=` with a topic of plain words and `{device}`, such as \
                 `ack=hj212/{device}/down`",
            ),
        }
        return Some(options);
    }
    if format == Format::SparkplugB {
        match cells.text("options") {
            "" | "rebirth=yes" => {}
            "rebirth=no" => options.rebirth = false,
            _ => cells.refuse("options", "`rebirth=yes` or `rebirth=no`"),
        }
        return Some(options);
    }
    None
}

/// Says whether a text is a topic of which `{device}` is a level, and no filter.
fn is_topic(text: &str) -> bool {
    let word = |level: &str| !level.is_empty() && !level.contains(['{', '}', '+', '#', ' ']);
    let mut levels = text.split('/');
    levels.clone().any(|level| level == "{device}")
        && levels.all(|level| level == "{device}" || word(level))
}

/// An answer's topic, and on which line it stands.
#[derive(Debug)]
pub(super) struct DownLink {
    pub(super) row: usize,
    pub(super) network: NetworkId,
    pub(super) levels: Vec<Level>,
}

impl DownLink {
    pub(super) fn new(row: usize, network: NetworkId, options: &Options) -> Option<Self> {
        let levels = options.ack.as_deref()?.split('/').map(Level::read).collect();
        Some(Self { row, network, levels })
    }
}
