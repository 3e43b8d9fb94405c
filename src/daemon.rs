//! The wiring: what the commands do with the rooms.

pub mod check;
pub mod clock;
pub mod edition;
