//! The wiring: what the commands do with the rooms.

pub mod act;
pub mod assess;
pub mod check;
pub mod clock;
pub mod commit;
pub mod conditions;
pub mod core;
pub mod decode;
pub mod deliver;
pub mod edition;
pub mod in_hand;
pub mod ingest;
mod letter;
pub mod outlet;
pub mod page;
pub mod qc;
pub mod recompute;
pub mod reconcile;
pub mod recover;
pub mod run;
pub mod socket;
pub mod status;
pub mod table;
pub mod tap;
pub mod tell;
pub mod terminal;
mod unknown_mark;
