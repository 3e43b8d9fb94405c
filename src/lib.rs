//! weir: water, air and energy readings from MQTT, judged and stored, with alerts.
#![forbid(unsafe_code)]

pub mod aggregate;
pub mod alert;
pub mod assess;
pub mod basin;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod decode;
#[cfg(feature = "demo")]
pub mod demo;
pub mod domain;
pub mod http;
pub mod influx;
pub mod journal;
pub mod mqtt;
pub mod normalize;
pub mod notify;
pub mod pipeline;
pub mod qc;
pub mod seed;
#[cfg(feature = "demo")]
pub mod simulate;
pub mod telemetry;
