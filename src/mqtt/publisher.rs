//! Publishing, over rumqttc's own client: alerts and simulated stations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, Event, Incoming, MqttOptions};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use url::Url;

use crate::domain::input::Qos;
use crate::mqtt::Error;

/// How many publishes may wait or be under way; more wait in [`Publisher::publish`].
const WINDOW: u16 = 100;
/// How long it waits after a failure.
const AGAIN: Duration = Duration::from_millis(200);

/// A client that publishes.
#[derive(Debug)]
pub struct Publisher {
    client: AsyncClient,
    task: JoinHandle<()>,
    sent: AtomicU64,
    confirmed: Arc<Confirmed>,
}

#[derive(Debug, Default)]
struct Confirmed {
    count: AtomicU64,
    changed: Notify,
}

impl Publisher {
    /// Connects to `mqtt://host:port`; keeps trying in the background.
    ///
    /// # Errors
    /// The address is none.
    pub fn connect(url: &str, client_id: &str) -> Result<Self, Error> {
        let bad = || Error::Url { url: url.to_owned() };
        let parsed = Url::parse(url).map_err(|_| bad())?;
        let host = parsed.host_str().ok_or_else(bad)?.to_owned();
        let mut options = MqttOptions::new(client_id, host, parsed.port().unwrap_or(1_883));
        options.set_keep_alive(Duration::from_secs(30));
        options.set_outgoing_inflight_upper_limit(WINDOW);
        options.set_max_packet_size(Some(4 << 20));
        let (client, mut events) = AsyncClient::new(options, WINDOW.into());
        let confirmed = Arc::new(Confirmed::default());
        let told = Arc::clone(&confirmed);
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Incoming::PubAck(_))) => {
                        told.count.fetch_add(1, Ordering::Release);
                        told.changed.notify_waiters();
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(%error, "A publisher's connection failed.");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            }
        });
        Ok(Self { client, task, sent: AtomicU64::new(0), confirmed })
    }

    /// Hands a message to the client; waits while its window is full.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn publish(
        &self,
        topic: &str,
        payload: Vec<u8>,
        qos: Qos,
        retain: bool,
    ) -> Result<(), Error> {
        let level = match qos {
            Qos::AtMostOnce => QoS::AtMostOnce,
            Qos::AtLeastOnce | Qos::ExactlyOnce => QoS::AtLeastOnce,
        };
        let handed = self.client.publish(topic, level, retain, payload).await;
        handed.map_err(|error| Error::Broken(error.to_string()))?;
        if level == QoS::AtLeastOnce {
            self.sent.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }

    /// Waits until the broker has confirmed everything above QoS 0.
    pub async fn flush(&self) {
        loop {
            let changed = self.confirmed.changed.notified();
            let confirmed = self.confirmed.count.load(Ordering::Acquire);
            if confirmed >= self.sent.load(Ordering::Acquire) {
                return;
            }
            changed.await;
        }
    }

    /// Says good-bye.
    pub async fn close(self) {
        self.client.disconnect().await.ok();
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.task.abort();
    }
}
