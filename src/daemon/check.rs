//! `weir check`: everything that is wrong with configuration and seeds, all at once; and whether
//! what the configuration names can be reached.

use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::daemon::edition::Edition;
use crate::domain::fault::Fault;
use crate::domain::name::{Names, NetworkId};
use crate::domain::registry::{Registry, TopicRule};
use crate::influx::line::collision;
use crate::influx::query;
use crate::mqtt::subscription::fits;
use crate::mqtt::{self, connection};
use crate::notify::{self, Channel};
use crate::seed::Tables;

/// A sound installation.
#[derive(Debug)]
pub struct Sound {
    /// The configuration.
    pub config: Config,
    /// The edition of the seeds it names,
    pub edition: Edition,
    /// and what it is compiled to.
    pub registry: Arc<Registry>,
}

/// Reads configuration and seeds whole. Reaches nothing.
///
/// # Errors
/// Every fault of the configuration; where it is sound, every fault of the seeds.
pub fn check(file: &Path) -> Result<Sound, Vec<Fault>> {
    let config = Config::read(file)?;
    let judgement = config.judgement.judgement();
    let (networks, tables) = (config.networks(), Tables::read(&config.seeds)?);
    let edition = Edition { judgement, networks, tables };
    let registry = edition.compile(&mut Names::default())?;
    let name = |id: crate::domain::name::DatastreamId| {
        registry.datastream(id).map_or_else(String::new, |stream| stream.name.to_string())
    };
    let mut faults: Vec<Fault> = collision(&registry)
        .into_iter()
        .map(|(one, other)| Fault {
            file: "seeds/devices.csv".to_owned(),
            line: None,
            found: format!("datastreams `{}` and `{}` in one field", name(one), name(other)),
            expected: "another position for one of them".to_owned(),
        })
        .collect();
    faults.extend(config.brokers.iter().filter_map(|broker| own_echo(file, broker, &registry)));
    if faults.is_empty() { Ok(Sound { config, edition, registry }) } else { Err(faults) }
}

/// What weir says of itself would come back as a message.
fn own_echo(file: &Path, broker: &mqtt::config::Config, registry: &Registry) -> Option<Fault> {
    let topic = broker.status_topic()?;
    let filter = filters(registry, &broker.network).find(|filter| fits(filter, &topic))?;
    Some(Fault {
        file: file.display().to_string(),
        line: None,
        found: format!("status_topic `{topic}`, which fits the seeds' filter `{filter}`"),
        expected: "a topic that no pattern fits, or \"\" for none".to_owned(),
    })
}

fn filters<'a>(registry: &'a Registry, network: &'a str) -> impl Iterator<Item = String> + 'a {
    let name = |id: NetworkId| registry.networks.get(id.index()).map(|name| &**name);
    let rules = registry.topics.iter().filter(move |rule| name(rule.network) == Some(network));
    rules.map(TopicRule::filter)
}

/// One thing that was tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tried {
    /// What was tried.
    pub what: String,
    /// What came of it: words for success, or what to mend.
    pub outcome: Result<String, String>,
}

/// Tries every broker, the database and every channel, without storing a point or messaging
/// anybody. At a broker weir is another client, so that a daemon at work is not thrown off.
pub async fn connect(sound: &Sound) -> Vec<Tried> {
    let Sound { config, registry, .. } = sound;
    let mut tried = Vec::new();
    for broker in &config.brokers {
        let filters: Vec<String> = filters(registry, &broker.network).collect();
        let outcome = match connection::probe(broker, &filters).await {
            Ok(refused) if refused.is_empty() => {
                Ok(format!("{} filters are granted", filters.len()))
            }
            Ok(refused) => {
                let refused = refused.iter();
                let words: Vec<String> =
                    refused.map(|(filter, reason)| format!("`{filter}`: {reason}")).collect();
                Err(format!("refuses {}; mend its access list", words.join(", ")))
            }
            Err(error) => Err(error.to_string()),
        };
        let what = format!("broker {} ({})", broker.network, broker.url);
        tried.push(Tried { what, outcome });
    }
    if let Some(influx) = &config.influx {
        let outcome = query::probe(influx).await.map(|health| {
            let version = health.version.unwrap_or_else(|| "of unknown version".to_owned());
            format!("{} {version}, the credentials may write", influx.dialect.word())
        });
        let outcome = outcome.map_err(|error| error.to_string());
        tried.push(Tried { what: format!("influx {}", influx.url), outcome });
    }
    for channel in &config.channels {
        let outcome = match Channel::new(channel) {
            Ok(ready) => notify::probe(&ready).await,
            Err(error) => Err(error),
        };
        let outcome = outcome.map(|()| "its host answers".to_owned());
        let outcome = outcome.map_err(|error| error.to_string());
        tried.push(Tried { what: format!("channel {}", channel.name), outcome });
    }
    tried
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_installation_is_sound() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/weir.toml");
        let sound = check(&file).unwrap();
        assert_eq!(sound.config.networks(), ["rivers", "parks"]);
        assert!(sound.registry.stations.iter().count() > 10);
    }

    #[test]
    fn weir_does_not_hear_itself() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/weir.toml");
        let mut sound = check(&file).unwrap();
        let broker = sound.config.brokers.first_mut().unwrap();
        assert_eq!(own_echo(&file, broker, &sound.registry), None);
        broker.status_topic = Some("water/weir/data".to_owned());
        let fault = own_echo(&file, broker, &sound.registry).unwrap();
        assert!(fault.found.contains("`water/+/data`"), "{fault}");
    }
}
