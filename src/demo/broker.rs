//! An MQTT broker inside the process, on loopback only: so that the demonstration needs nothing
//! but weir, and its messages are real MQTT all the same.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mqtt5::broker::config::StorageConfig;
use mqtt5::broker::{BrokerConfig, BrokerShutdownHandle, MqttBroker};
use tokio::task::JoinHandle;

/// How long a broker may take to end.
const STOP_MAX: Duration = Duration::from_secs(2);

/// A broker at work.
pub struct EmbeddedBroker {
    address: SocketAddr,
    shutdown: BrokerShutdownHandle,
    task: JoinHandle<()>,
}

impl std::fmt::Debug for EmbeddedBroker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("EmbeddedBroker").field("address", &self.address).finish_non_exhaustive()
    }
}

impl EmbeddedBroker {
    /// Starts a broker on a free port of loopback, with everything in memory.
    ///
    /// # Errors
    /// It can't listen.
    pub async fn start() -> anyhow::Result<Self> {
        let mut config = BrokerConfig::default()
            .with_bind_address((Ipv4Addr::LOCALHOST, 0))
            .with_client_channel_capacity(100_000)
            .with_max_packet_size(4 << 20)
            .with_maximum_qos(2)
            .with_sys_topics_enabled(false)
            .with_storage(StorageConfig { enable_persistence: false, ..StorageConfig::default() });
        config.auth_config.allow_anonymous = true;
        config.max_message_rate_per_client = u32::MAX;
        config.max_bandwidth_per_client = u64::MAX;
        config.max_outbound_rate_per_client = 0;
        let mut broker = MqttBroker::with_config(config).await?;
        let address =
            broker.local_addr().ok_or_else(|| anyhow::anyhow!("the broker has no address"))?;
        let shutdown = broker.shutdown_handle();
        let task = tokio::spawn(async move {
            if let Err(error) = broker.run().await {
                tracing::error!(%error, "The embedded broker ended.");
            }
        });
        Ok(Self { address, shutdown, task })
    }

    /// Gives where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it.
    pub async fn stop(self) {
        self.shutdown.shutdown();
        let end = self.task.abort_handle();
        if tokio::time::timeout(STOP_MAX, self.task).await.is_err() {
            end.abort();
        }
    }
}
