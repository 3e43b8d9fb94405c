//! `weir discover`: listens to topics that nobody has described yet, and writes rows for the seeds,
//! to review.

mod fold;
mod guess;
mod held;
mod name;
mod object;
mod rows;
pub mod survey;

use crate::daemon::check::Sound;
use crate::daemon::clock::Clock;
use crate::domain::fault::Fault;
use crate::domain::input::Message;
use crate::domain::name::NetworkId;
use crate::domain::registry::{Level, TopicRule};
use crate::mqtt::acknowledgement::AckToken;
use crate::mqtt::config::Config;
use crate::mqtt::connection::{Connection, Session};

use self::name::Properties;
pub use self::rows::Rows;
use self::survey::{Survey, Topic};

/// How many topics are told that nobody can read.
const UNREAD_TOLD_MAX: usize = 20;

/// A broker to listen to.
pub type Broker = Config;

/// What was found on a broker.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The rows.
    pub rows: Rows,
    /// What was heard and what not, line by line.
    pub words: Vec<String>,
}

/// Gives the brokers to listen to: those of the configuration, of one that has several networks the
/// first; or the one at an address, with the settings of the first and no user.
///
/// # Errors
/// There is none.
pub fn brokers(
    sound: &Sound,
    url: Option<&str>,
    network: Option<&str>,
) -> anyhow::Result<Vec<Config>> {
    let configured = &sound.config.brokers;
    let mut brokers: Vec<Config> = Vec::new();
    if let (Some(url), Some(first)) = (url, configured.first()) {
        brokers.push(Config {
            network: network.unwrap_or("site").to_owned(),
            url: url.to_owned(),
            user: None,
            password_file: None,
            password_env: None,
            ..first.clone()
        });
        return Ok(brokers);
    }
    for broker in configured.iter().filter(|one| network.is_none_or(|of| one.network == of)) {
        let same = |of: &Config| of.host() == broker.host() && of.user == broker.user;
        if !brokers.iter().any(same) {
            brokers.push(broker.clone());
        }
    }
    anyhow::ensure!(!brokers.is_empty(), "no [[broker]] has that network");
    Ok(brokers)
}

/// Gives what an address needs where there is no configuration: the properties and units that the
/// program carries. No topic is known.
///
/// # Errors
/// The address is none.
#[cfg(feature = "demo")]
pub fn carried(url: &str) -> Result<Sound, Vec<Fault>> {
    let url = toml::Value::from(url);
    let text = format!(
        "seeds = 'seeds'\n[[broker]]\nnetwork = 'site'\nurl = {url}\nclient_id = 'weir'\n\
         [journal]\ndata_folder = 'data'\n"
    );
    let config = crate::config::Config::parse("--broker", &text).map_err(|mut faults| {
        faults.iter_mut().for_each(|fault| fault.line = None);
        faults
    })?;
    let networks = ["rivers", "parks"].map(str::to_owned).into();
    let (judgement, tables) = (config.judgement(), crate::seed::example::tables());
    let edition = crate::daemon::edition::Edition { judgement, networks, tables };
    let mut registry = crate::daemon::check::compiled(&edition)?;
    std::sync::Arc::make_mut(&mut registry).topics = crate::domain::name::Table::default();
    Ok(Sound { config, edition, registry })
}

/// Says that there must be a configuration: this build carries no seeds.
///
/// # Errors
/// Always.
#[cfg(not(feature = "demo"))]
pub fn carried(_: &str) -> Result<Sound, Vec<Fault>> {
    let expected = "--config with one that names seeds, or a build with the feature `demo`: this \
                    one carries none";
    Err(vec![Fault {
        file: "config/weir.toml".to_owned(),
        line: None,
        found: "no such file".to_owned(),
        expected: expected.to_owned(),
    }])
}

/// Listens to a broker as a client of its own until the task is dropped or the broker goes.
///
/// # Errors
/// The broker can't be reached, or refuses the filter.
pub async fn listen(broker: &Config, filter: &str, survey: &mut Survey) -> anyhow::Result<()> {
    let session = Session::Private { purpose: "discover" };
    let filters = [filter.to_owned()];
    let (mut connection, _) = Connection::open(broker, session, &filters, NetworkId(0)).await?;
    let acknowledger = connection.acknowledger();
    let clock = Clock::real();
    loop {
        let mut tokens = Vec::new();
        let mut take = |message: Message<'_>, token: Option<AckToken>| {
            tokens.extend(token);
            if message.fault.is_none() {
                let at = clock.now().wall;
                survey.hear(message.topic, message.payload, message.retain, at);
            }
        };
        connection.turn(true, &mut take).await?;
        acknowledger.acknowledge(&mut tokens);
        if let Some([(filter, reason), ..]) = connection.refused_filters() {
            anyhow::bail!("the broker refuses `{filter}`: {reason}");
        }
    }
}

/// Makes rows of what was heard. Topics that the seeds of the network know are left out.
#[must_use]
pub fn found(sound: &Sound, network: &str, station: &str, survey: &Survey) -> Found {
    let registry = &sound.registry;
    let known = registry.network_called(network);
    let (topics, described) = undescribed(sound, network, survey);
    let heard = topics.len();
    let table = sound.edition.tables.get("properties.csv").unwrap_or_default();
    let properties = Properties::new(registry, table);
    let guessed = guess::guess(topics, &registry.units);
    let silent = guessed.silent;
    let reached = [survey.reached(), guessed.reached].concat();
    let (patterns, left) = fold::fold(guessed.guesses, &properties);
    let asked = rows::Asked { network, known, station };
    let rows = rows::rows(&patterns, &properties, asked);
    let devices: usize = patterns.iter().map(|pattern| pattern.devices.len()).sum();
    let messages = survey.messages;
    let mut words = vec![format!(
        "{messages} messages on {heard} topics: {} patterns, {devices} devices, {} channels that \
         are left to you",
        patterns.len(),
        rows.unknown
    )];
    for pattern in &patterns {
        let names: Vec<&str> = pattern.devices.keys().map(String::as_str).take(5).collect();
        let more = pattern.devices.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let (text, word) = (pattern.text(), pattern.word);
        let names = if names.is_empty() { "nobody yet".into() } else { names.join(", ") };
        words.push(format!("{text} is {word}: {names}{more}"));
    }
    let say = |count: usize, what: &str| (count > 0).then(|| format!("{count} topics {what}"));
    words.extend(say(described, "are known to the seeds, or weir's own"));
    words.extend(say(silent, "bring no readings, or commands only"));
    for guess in left.iter().take(UNREAD_TOLD_MAX) {
        words.push(format!(
            "`{}` is {}, but neither topic nor payload names a device: no row can say so",
            guess.topic, guess.word
        ));
    }
    for (topic, begins) in guessed.unread.iter().take(UNREAD_TOLD_MAX) {
        words.push(format!("`{topic}` is of no format that is known: it begins `{begins}`"));
    }
    for pattern in &patterns {
        let full =
            |(_, heard): &(&String, &fold::Device)| heard.channels.len() >= guess::CHANNELS_MAX;
        words.extend(pattern.devices.iter().filter(full).map(|(name, _)| {
            format!("`{name}` has more channels than the {} found of it", guess::CHANNELS_MAX)
        }));
    }
    let beyond = |count: usize| count.saturating_sub(UNREAD_TOLD_MAX);
    words.extend(say(beyond(left.len()) + beyond(guessed.unread.len()), "more can't be described"));
    words.extend(reached);
    Found { rows, words }
}

/// Leaves out what the seeds describe already, of all networks of the broker, and what weir says of
/// itself.
fn undescribed<'s>(
    sound: &Sound,
    network: &str,
    survey: &'s Survey,
) -> (Vec<(&'s str, &'s Topic)>, usize) {
    let registry = &sound.registry;
    let brokers = &sound.config.brokers;
    let host = brokers.iter().find(|one| one.network == network).map(Config::host);
    let there = brokers.iter().filter(|one| host.as_ref().is_some_and(|of| one.host() == *of));
    let names = there.map(|one| one.network.as_str()).chain([network]);
    let known: Vec<NetworkId> = names.filter_map(|name| registry.network_called(name)).collect();
    let own: Vec<String> = brokers.iter().filter_map(Config::status_topic).collect();
    let unknown = |topic: &str| {
        let mut rules = registry.topics.iter().filter(|rule| known.contains(&rule.network));
        let told = |rule: &TopicRule| rule.options.ack.as_ref().is_some_and(|to| fits(to, topic));
        !own.iter().any(|one| *one == topic)
            && !rules.any(|rule| rule.read(topic).is_some() || told(rule))
    };
    let topics = survey.topics.iter().map(|(name, topic)| (&**name, topic));
    let topics: Vec<(&str, &Topic)> = topics.filter(|(name, _)| unknown(name)).collect();
    let described = survey.topics.len() - topics.len();
    (topics, described)
}

/// Says whether weir answers devices on a topic, by the pattern of its answers.
fn fits(pattern: &str, topic: &str) -> bool {
    let same = |(level, word): (&str, &str)| match Level::read(level) {
        Level::Literal(literal) => *literal == *word,
        Level::Device | Level::Channel | Level::Place | Level::Kind | Level::Node => true,
    };
    pattern.split('/').count() == topic.split('/').count()
        && pattern.split('/').zip(topic.split('/')).all(same)
}
