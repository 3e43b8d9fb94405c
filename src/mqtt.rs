//! MQTT, in and out: a connection loop of our own on rumqttc's codec, because the acknowledgement
//! is what weir exists for. The only room that names rumqttc.

pub mod acknowledgement;
pub mod backoff;
pub mod config;
pub mod connection;
pub mod publisher;
mod stream;
mod wire;
