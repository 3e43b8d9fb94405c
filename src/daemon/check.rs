//! `weir check`: everything that is wrong with configuration and seeds, all at once; and whether
//! what the configuration names can be reached.

use std::path::Path;
use std::sync::Arc;

use crate::config::{Config, Reading};
use crate::daemon::edition::Edition;
use crate::daemon::keys;
use crate::daemon::terminal::plain;
use crate::domain::fault::Fault;
use crate::domain::name::{Names, NetworkId};
use crate::domain::registry::{Registry, TopicRule};
use crate::influx::line::collision;
use crate::influx::{self, query};
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

/// Reads configuration and seeds whole, with every file that they name. Reaches nothing.
///
/// # Errors
/// Every fault of both.
pub fn check(file: &Path) -> Result<Sound, Vec<Fault>> {
    whole(Config::survey(file))
}

/// As [`check`], for a daemon that starts: a broken template of a channel is no fault.
///
/// # Errors
/// Every other fault of both.
pub fn to_run(file: &Path) -> Result<Sound, Vec<Fault>> {
    whole(Config::survey_to_run(file))
}

fn whole(mut reading: Reading) -> Result<Sound, Vec<Fault>> {
    reading.faults.extend(reading.config.iter().flat_map(keys::faults));
    sound(reading)
}

/// Reads the seeds that a configuration names, and of the configuration only what belongs to the
/// edition: secrets and other files need not be there.
///
/// # Errors
/// Every fault that was met.
pub fn edition(file: &Path) -> Result<Sound, Vec<Fault>> {
    sound(Config::survey_judgement(file))
}

/// Reads so the seeds of another folder, by the settings of a configuration.
///
/// # Errors
/// Every fault that was met.
pub fn edition_of(file: &Path, seeds: Option<&Path>) -> Result<Sound, Vec<Fault>> {
    let mut reading = Config::survey_judgement(file);
    if let (Some(config), Some(seeds)) = (&mut reading.config, seeds) {
        config.seeds = seeds.to_owned();
        reading.names_seeds = true;
    }
    sound(reading)
}

fn sound(reading: Reading) -> Result<Sound, Vec<Fault>> {
    let Reading { config, mut faults, names_seeds } = reading;
    let Some(config) = config else { return Err(faults) };
    if !names_seeds {
        return Err(faults);
    }
    let (judgement, networks) = (config.judgement(), config.networks());
    let compiled = Tables::read(&config.seeds).and_then(|tables| {
        let edition = Edition { judgement, networks, tables };
        let registry = compiled(&edition)?;
        Ok((edition, registry))
    });
    match compiled {
        Ok((edition, registry)) => {
            let echoes = config.brokers.iter().filter_map(|broker| own_echo(broker, &registry));
            faults.extend(echoes);
            let channels = config.channels.iter();
            faults.extend(channels.filter_map(|channel| channel_echo(channel, &registry)));
            if faults.is_empty() { Ok(Sound { config, edition, registry }) } else { Err(faults) }
        }
        Err(more) => {
            faults.extend(more);
            Err(faults)
        }
    }
}

/// Compiles an edition and refuses one whose datastreams would overwrite each other.
///
/// # Errors
/// Every fault of its tables.
pub fn compiled(edition: &Edition) -> Result<Arc<Registry>, Vec<Fault>> {
    let registry = edition.compile(&mut Names::default())?;
    let name = |id: crate::domain::name::DatastreamId| {
        registry.datastream(id).map_or_else(String::new, |stream| stream.name.to_string())
    };
    let faults: Vec<Fault> = collision(&registry)
        .into_iter()
        .map(|(one, other)| Fault {
            file: "seeds/devices.csv".to_owned(),
            line: None,
            found: format!("datastreams `{}` and `{}` in one field", name(one), name(other)),
            expected: "another position for one of them".to_owned(),
        })
        .collect();
    if faults.is_empty() { Ok(registry) } else { Err(faults) }
}

/// What weir says of itself would come back as a message.
fn own_echo(broker: &mqtt::config::Config, registry: &Registry) -> Option<Fault> {
    let topic = broker.status_topic()?;
    let filter = filters(registry, &broker.network).find(|filter| fits(filter, &topic))?;
    let (setting, expected) = broker.status_setting();
    Some(Fault {
        file: "seeds/topics.csv".to_owned(),
        line: None,
        found: format!("{setting} with topic `{topic}`, which fits the seeds' filter `{filter}`"),
        expected: expected.to_owned(),
    })
}

/// What a channel of MQTT publishes would, too.
fn channel_echo(channel: &notify::Config, registry: &Registry) -> Option<Fault> {
    let network = channel.broker.as_deref()?;
    let topics = notify::mqtt::topics(channel);
    let heard = topics.iter().find_map(|topic| {
        let filter = filters(registry, network).find(|filter| fits(filter, topic))?;
        Some((topic, filter))
    });
    let (topic, filter) = heard?;
    let name = &channel.name;
    Some(Fault {
        file: "seeds/topics.csv".to_owned(),
        line: None,
        found: format!(
            "channel `{name}` with topic `{topic}`, which fits the seeds' filter `{filter}`"
        ),
        expected: "another topic of the channel, that no pattern fits".to_owned(),
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
    let mut note = |what: String, outcome: Result<String, String>| {
        let outcome = outcome.map(|words| plain(&words)).map_err(|words| plain(&words));
        tried.push(Tried { what: plain(&what), outcome });
    };
    for broker in &config.brokers {
        let shown = broker.shown_url();
        let outcome = try_broker(broker, registry).await;
        let outcome = outcome.map_err(|words| words.replace(&broker.url, &shown));
        note(format!("broker {} ({shown})", broker.network), outcome);
    }
    if let Some(influx) = &config.influx {
        note(format!("influx {}", influx.shown_url()), try_influx(influx).await);
    }
    for channel in &config.channels {
        note(format!("channel {}", channel.name), try_channel(config, channel).await);
    }
    let heartbeat = config.heartbeat.iter();
    for heart in heartbeat.flat_map(|section| section.hearts().unwrap_or_default()) {
        let outcome = heart.probe().await.map(|()| "its host answers".to_owned());
        note(format!("heartbeat {}", heart.host()), outcome);
    }
    tried
}

async fn try_broker(broker: &mqtt::config::Config, registry: &Registry) -> Result<String, String> {
    let filters: Vec<String> = filters(registry, &broker.network).collect();
    let refused = connection::probe(broker, &filters).await.map_err(|error| error.to_string())?;
    if refused.is_empty() {
        return Ok(format!("{} filters are granted", filters.len()));
    }
    let words: Vec<String> =
        refused.iter().map(|(filter, reason)| format!("`{filter}`: {reason}")).collect();
    Err(format!("refuses {}; mend its access list", words.join(", ")))
}

async fn try_channel(config: &Config, channel: &notify::Config) -> Result<String, String> {
    let broker = config.brokers.iter().find(|one| Some(&one.network) == channel.broker.as_ref());
    if let Some(broker) = broker {
        let met = connection::probe(broker, &[]).await;
        let met = met.map(|_| format!("broker {} lets it in", broker.network));
        return met.map_err(|error| error.to_string().replace(&broker.url, &broker.shown_url()));
    }
    let ready = Channel::new(channel).map_err(|error| error.to_string())?;
    let met = notify::probe(&ready).await.map(|()| "its host answers".to_owned());
    met.map_err(|error| error.to_string())
}

async fn try_influx(influx: &influx::Config) -> Result<String, String> {
    let health = query::probe(influx).await.map_err(|error| error.to_string())?;
    let version = health.version.map_or_else(String::new, |version| format!(" {version}"));
    let name = format!("{}{version}", influx.dialect.word());
    if health.ready {
        Ok(format!("{name}, the credentials may write"))
    } else {
        Err(format!("{name} calls itself not ready for work; see its own log"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::registry::Level;

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
        assert_eq!(own_echo(broker, &sound.registry), None);
        broker.status_topic = Some("water/weir/data".to_owned());
        let fault = own_echo(broker, &sound.registry).unwrap();
        assert!(fault.found.contains("`water/+/data`"), "{fault}");
        assert!(fault.found.contains("status_topic") && fault.expected.contains("\"\" for none"));
        broker.status_topic = None;
        broker.sparkplug_host = Some("bureau".to_owned());
        assert_eq!(own_echo(broker, &sound.registry), None);
        let mut registry = sound.registry.clone();
        let rule = Arc::make_mut(&mut registry).topics.get_mut(0).unwrap();
        rule.levels = "spBv1.0/{place}/{device}".split('/').map(Level::read).collect();
        let fault = own_echo(broker, &registry).unwrap();
        assert!(
            fault.found.contains("sparkplug_host with topic `spBv1.0/STATE/bureau`"),
            "{fault}"
        );
        assert!(!fault.expected.contains("status_topic"), "{fault}");
    }
}
