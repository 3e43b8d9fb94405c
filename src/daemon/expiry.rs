//! Whether a certificate ends soon that weir or a broker shows, or by which weir knows others: told
//! while there is time to renew it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::daemon::conditions::Report;
use crate::daemon::outlet::Outlet;
use crate::domain::alert::WeirCondition;
use crate::domain::time::{DAY, Timestamp};
use crate::mqtt::certificate::end_of_file;
use crate::mqtt::config::Config as Broker;

/// How long before its end a certificate is told of.
const ENDS_WITHIN_MS: i64 = 30 * DAY;
/// How often it is looked at the files: a renewed one ends the alert within this time.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// A file with certificates that the configuration names.
#[derive(Debug)]
struct Named {
    condition: WeirCondition,
    /// Of this broker; else of the database, a channel or the page.
    network: Option<String>,
    path: PathBuf,
}

/// Looks at certificates for as long as weir runs.
#[derive(Debug)]
pub struct Expiry {
    files: Vec<Named>,
    networks: Vec<String>,
    /// Networks whose brokers show no certificate.
    plain: Vec<String>,
    outlet: Outlet,
    /// What was said last; nothing since the start, so that an alert from before it can end.
    said: BTreeMap<(WeirCondition, Option<String>), bool>,
    /// Files that can't be read, of which the log says so.
    unreadable: Vec<PathBuf>,
}

impl Expiry {
    /// Gathers what the configuration names.
    #[must_use]
    pub fn new(config: &Config, outlet: Outlet) -> Self {
        let (own, authority) = (WeirCondition::CertificateEnding, WeirCondition::AuthorityEnding);
        let mut files = Vec::new();
        let mut name = |condition, network: Option<&String>, path: Option<&PathBuf>| {
            let network = network.cloned();
            files.extend(path.cloned().map(|path| Named { condition, network, path }));
        };
        for broker in &config.brokers {
            name(own, Some(&broker.network), broker.certificate_file.as_ref());
            name(authority, Some(&broker.network), broker.ca_file.as_ref());
        }
        name(own, None, config.http.certificate_file.as_ref());
        name(authority, None, config.influx.as_ref().and_then(|influx| influx.ca_file.as_ref()));
        for channel in &config.channels {
            name(authority, None, channel.ca_file.as_ref());
        }
        let name_of = |broker: &Broker| broker.network.clone();
        let networks = config.brokers.iter().map(name_of).collect();
        let is_plain = |broker: &&Broker| !broker.url.starts_with("mqtts:");
        let plain = config.brokers.iter().filter(is_plain).map(name_of).collect();
        let (said, unreadable) = (BTreeMap::new(), Vec::new());
        Self { files, networks, plain, outlet, said, unreadable }
    }

    /// Works until weir stops.
    ///
    /// # Errors
    /// None.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut stop = self.outlet.stop.clone();
        let status = Arc::clone(&self.outlet.status);
        loop {
            self.look();
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                () = status.certificate_shown.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        Ok(())
    }

    fn look(&mut self) {
        let now = self.outlet.clock.now().wall;
        let mut ends = Ends::default();
        for named in &self.files {
            match end_of_file(&named.path) {
                Ok(end) => {
                    self.unreadable.retain(|path| *path != named.path);
                    ends.note((named.condition, named.network.clone()), end);
                }
                Err(_) if self.unreadable.contains(&named.path) => {}
                Err(error) => {
                    tracing::warn!(error, "When {} ends can't be read.", named.path.display());
                    self.unreadable.push(named.path.clone());
                }
            }
        }
        for broker in self.outlet.status.brokers() {
            let shown = (WeirCondition::ServerCertificateEnding, Some(broker.network));
            broker.certificate_ends.into_iter().for_each(|end| ends.note(shown.clone(), end));
        }
        let of = |condition| move |network: &String| (condition, Some(network.clone()));
        let mut keys = vec![(WeirCondition::AuthorityEnding, None)];
        keys.push((WeirCondition::CertificateEnding, None));
        keys.extend(self.networks.iter().map(of(WeirCondition::CertificateEnding)));
        keys.extend(self.networks.iter().map(of(WeirCondition::AuthorityEnding)));
        let shown = self.networks.iter().map(of(WeirCondition::ServerCertificateEnding));
        // A broker that is away shows none, and ends no alert.
        keys.extend(shown.filter(|key| ends.first.contains_key(key)));
        keys.extend(self.plain.iter().map(of(WeirCondition::ServerCertificateEnding)));
        for key in keys {
            let until = ends.soon(&key, now);
            if self.said.insert(key.clone(), until.is_some()) != Some(until.is_some()) {
                if let Some(until) = until {
                    let (condition, network) = (key.0.word(), key.1.as_deref().unwrap_or_default());
                    let until = until.rfc3339(&jiff::tz::TimeZone::UTC);
                    tracing::warn!(condition, network, until, "A certificate ends soon.");
                }
                let (condition, network) = key;
                self.outlet.conditions.report(Report {
                    condition,
                    network: network.map(String::into_boxed_str),
                    until,
                    holds: until.is_some(),
                });
            }
        }
    }
}

/// The first end of each kind of certificate.
#[derive(Debug, Default)]
struct Ends {
    first: BTreeMap<(WeirCondition, Option<String>), Timestamp>,
}

impl Ends {
    fn note(&mut self, key: (WeirCondition, Option<String>), end: Timestamp) {
        let first = self.first.entry(key).or_insert(end);
        *first = end.min(*first);
    }

    /// Gives when it ends, if that is soon or over.
    fn soon(&self, key: &(WeirCondition, Option<String>), now: Timestamp) -> Option<Timestamp> {
        self.first.get(key).copied().filter(|end| end.since(now) <= ENDS_WITHIN_MS)
    }
}
