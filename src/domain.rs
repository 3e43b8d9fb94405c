//! The nouns of the field, in the words of O&M, SensorThings and QARTOD. Plain values: no clock,
//! no file, no socket. Every other room speaks to its neighbours in these words.

pub mod alert;
pub mod alerting;
pub mod asked;
pub mod assessment;
pub mod booked;
pub mod cause;
pub mod check;
pub mod condition;
pub mod desk;
pub mod dimension;
pub mod evaluation;
pub mod expression;
pub mod fault;
pub mod history;
pub mod input;
pub mod invalidation;
pub mod judgement;
pub mod ledger;
pub mod name;
pub mod observation;
pub mod packed;
pub mod percentile;
pub mod quality;
pub mod recompute;
pub mod registry;
pub mod reject;
pub mod reply;
pub mod rounding;
pub mod secret;
pub mod time;
pub mod unit;
