//! Decides who is to be told of what, and never tells anybody: state, rule and outcome in, state
//! and change out.

pub mod desk;
pub mod exceedance;
pub mod instrument;
pub mod lasting;
pub mod run;
pub mod silence;
