//! MQTT, in and out. So far: what the configuration says of a broker.

pub mod config;
