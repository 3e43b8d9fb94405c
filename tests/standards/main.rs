//! What the standards' own tables and worked examples say, a file a standard.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::float_cmp,
    reason = "a test may panic"
)]

mod gb_3838;
mod gb_t_2589;
mod supply_quality;

use std::path::Path;

use weir::domain::judgement::Judgement;
use weir::domain::name::Names;
use weir::domain::registry::Registry;
use weir::seed::{Tables, compile};

/// Compiles the example seeds.
fn registry() -> Registry {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let networks = ["rivers".to_owned(), "parks".to_owned()];
    let tables = Tables::read(&folder).unwrap();
    compile(&tables, Judgement::default(), &networks, &mut Names::default()).unwrap()
}
