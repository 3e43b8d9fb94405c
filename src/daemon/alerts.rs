//! Alerts seen from the shell: those that are open and what persons do with them, which rules watch
//! a station, what a file of tests says of them, which alerts other seeds would have given.

pub(in crate::daemon) mod open;
pub mod replay;
pub mod rules;
pub mod script;
pub mod shown;
pub mod trial;
pub mod work;
