//! The settings that weir runs by, for people. What is shown is named here one by one: of a secret
//! only where it comes from, of an address that may hold one only its host, and of what may be one,
//! or is somebody's number or address, only that it is set.

use std::fmt::Display;
use std::path::PathBuf;

use url::Url;

use crate::config::Config;
use crate::http::view::weir::Setting;
use crate::{http, influx, mqtt, notify};

/// What stands for a value that is not shown.
const HIDDEN: &str = "…";

/// Gives them by section, in the order of the file.
pub(super) fn settings(config: &Config) -> Vec<Setting> {
    let mut list = List::default();
    list.section("");
    list.show("seeds", config.seeds.display());
    list.show("zone", &config.zone);
    for broker in &config.brokers {
        list.broker(broker);
    }
    list.section("[journal]");
    list.show("data_folder", config.journal.data_folder.display());
    list.show("journal_bytes_max", config.journal.journal_bytes_max);
    list.show("raw_keep_days", config.journal.raw_keep_days);
    if let Some(influx) = &config.influx {
        list.influx(influx);
    }
    for channel in &config.channels {
        list.channel(channel);
    }
    if !config.contacts.is_empty() {
        list.section("[contacts]");
        for company in config.contacts.keys() {
            list.hidden(company, true);
        }
    }
    if let Some(heartbeat) = &config.heartbeat {
        list.section("[heartbeat]");
        list.address("url", heartbeat.url.as_deref());
        list.show("method", heartbeat.method.word());
        list.address("alertmanager", heartbeat.alertmanager.as_deref());
        list.show("name", &heartbeat.name);
        list.show("interval_s", heartbeat.interval_s);
        list.show("stuck_after_s", heartbeat.stuck_after_s);
        list.show("timeout_s", heartbeat.timeout_s);
        list.file("ca_file", heartbeat.ca_file.as_ref());
    }
    if let Some(morning) = &config.morning {
        list.section("[morning]");
        list.show("at", &morning.at);
        list.show("channels", morning.channels.join(", "));
    }
    list.http(&config.http);
    list.section("[log]");
    list.show("shape", config.log.shape.word());
    list.show("level", &config.log.level);
    list.judgement(config);
    list.held
}

#[derive(Default)]
struct List {
    section: String,
    held: Vec<Setting>,
}

impl List {
    fn section(&mut self, name: impl Into<String>) {
        self.section = name.into();
    }

    fn show(&mut self, key: &str, value: impl Display) {
        let (section, key, value) = (self.section.clone(), key.to_owned(), value.to_string());
        self.held.push(Setting { section, key, value });
    }

    fn show_if(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.show(key, value);
        }
    }

    fn file(&mut self, key: &str, file: Option<&PathBuf>) {
        self.show_if(key, file.map(|file| file.display()));
    }

    /// Shows where a secret comes from.
    fn secret(&mut self, what: &str, file: Option<&PathBuf>, variable: Option<&str>) {
        self.file(&format!("{what}_file"), file);
        self.show_if(&format!("{what}_env"), variable);
    }

    /// Shows the host of an address, whose other parts may hold a key.
    fn address(&mut self, key: &str, address: Option<&str>) {
        self.show_if(key, address.filter(|address| !address.is_empty()).map(host));
    }

    /// Says that something is set, and not what.
    fn hidden(&mut self, key: &str, is_set: bool) {
        self.show_if(key, is_set.then_some(HIDDEN));
    }

    fn http(&mut self, http: &http::Config) {
        self.section("[http]");
        self.show("listen", &http.listen);
        self.address("address", Some(http.address.as_str()));
        self.file("users_file", http.users().as_ref());
        self.show("session_h", http.session_h);
        self.show("session_idle_h", http.session_idle_h);
        self.secret("token", http.token_file.as_ref(), http.token_env.as_deref());
        self.show_if("trusted_header", http.trusted_header.as_ref());
        // Without the header nobody is believed.
        if http.trusted_header.is_some() {
            let proxies = http.trusted_proxies.iter().map(ToString::to_string);
            self.show("trusted_proxies", proxies.collect::<Vec<_>>().join(", "));
        }
        self.show("behind_proxy", http.behind_proxy);
        self.file("certificate_file", http.certificate_file.as_ref());
        self.file("key_file", http.key_file.as_ref());
    }

    fn broker(&mut self, broker: &mqtt::config::Config) {
        self.section(format!("[[broker]] {}", broker.network));
        self.show("url", host(&broker.url));
        self.show("client_id", &broker.client_id);
        self.show("protocol", broker.protocol.word());
        self.show_if("status_topic", broker.status_topic.as_ref());
        self.show_if("sparkplug_host", broker.sparkplug_host.as_ref());
        self.show("watch_dropped", broker.watch_dropped);
        self.show_if("user", broker.user.as_ref());
        self.secret("password", broker.password_file.as_ref(), broker.password_env.as_deref());
        self.file("ca_file", broker.ca_file.as_ref());
        self.file("certificate_file", broker.certificate_file.as_ref());
        self.file("key_file", broker.key_file.as_ref());
        self.file("hj212_keys_file", broker.hj212_keys_file.as_ref());
        self.show("keep_alive_s", broker.keep_alive_s);
        self.show("connect_timeout_s", broker.connect_timeout_s);
        self.show("session_expiry_s", broker.session_expiry_s);
        self.show("receive_maximum", broker.receive_maximum);
        self.show("payload_bytes_max", broker.payload_bytes_max);
        self.show("gather_ms", broker.gather_ms);
    }

    fn influx(&mut self, influx: &influx::Config) {
        self.section("[influx]");
        self.show("url", host(&influx.url));
        self.show("dialect", influx.dialect.word());
        self.show("org", &influx.org);
        self.show("bucket", &influx.bucket);
        self.show_if("user", influx.user.as_ref());
        self.secret("token", influx.token_file.as_ref(), influx.token_env.as_deref());
        self.file("password_file", influx.password_file.as_ref());
        self.file("ca_file", influx.ca_file.as_ref());
        self.show("timeout_s", influx.timeout_s);
        self.show("connect_timeout_s", influx.connect_timeout_s);
    }

    fn channel(&mut self, channel: &notify::Config) {
        self.section(format!("[[channel]] {}", channel.name));
        self.show("kind", channel.kind.word());
        self.show("routes", channel.routes.join(", "));
        self.show("step", channel.step);
        self.show_if("per_minute", channel.per_minute);
        self.show("timeout_s", channel.timeout_s);
        self.address("url", channel.url.as_deref());
        self.address("proxy", channel.proxy.as_deref());
        self.secret("secret", channel.secret_file.as_ref(), channel.secret_env.as_deref());
        let files = channel.secret_files.iter().flatten();
        for (name, file) in files {
            self.show(&format!("secret_files.{name}"), file.display());
        }
        self.show_if("language", channel.language.map(|one| one.word()));
        self.file("template", channel.template.as_ref());
        self.file("ca_file", channel.ca_file.as_ref());
        self.hidden("mention", channel.mention.is_some());
        self.hidden("keyword", channel.keyword.is_some());
        self.show_if("method", channel.method.as_ref());
        self.hidden("headers", channel.headers.is_some());
        self.hidden("body", channel.body.is_some());
        let statuses = channel
            .success_status
            .as_ref()
            .map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        self.show_if("success_status", statuses);
        self.show_if("success_pointer", channel.success_pointer.as_ref());
        self.hidden("success_value", channel.success_value.is_some());
        self.hidden("command", channel.command.is_some());
        self.show_if("environment", channel.environment.as_ref().map(|names| names.join(", ")));
        self.hidden("user", channel.user.is_some());
        self.hidden("from", channel.from.is_some());
        self.hidden("to", channel.to.is_some());
        self.show_if("broker", channel.broker.as_ref());
        self.show_if("topic", channel.topic.as_ref());
    }

    fn judgement(&mut self, config: &Config) {
        let section = &config.judgement;
        self.section("[judgement]");
        self.show("lateness_horizon_h", section.lateness_horizon_h);
        self.show("clock_ahead_max_s", section.clock_ahead_max_s);
        self.show("clock_ahead_reject_h", section.clock_ahead_reject_h);
        self.show("clock_behind_max_d", section.clock_behind_max_d);
        self.show("settle_hour_min", section.settle_hour_min);
        self.show("round_periods", section.round_periods);
        self.show("suspect_in_means", section.suspect_in_means);
        self.show("suspect_in_class", section.suspect_in_class);
        let section = &config.alerting;
        self.section("[alerting]");
        self.show("gather_s", section.gather_s);
        self.show("group_by", &section.group_by);
        self.show("repeat_h", section.repeat_h);
        let steps = section.escalate_after_min.iter().map(ToString::to_string);
        self.show("escalate_after_min", steps.collect::<Vec<_>>().join(", "));
        self.show("flap_fires", section.flap_fires);
        self.show("flap_window_min", section.flap_window_min);
    }
}

/// Gives scheme, host and port of an address, and whether there is more of it.
pub(super) fn host(address: &str) -> String {
    let Ok(url) = Url::parse(address) else { return "…".to_owned() };
    let Some(host) = url.host_str() else { return format!("{}:…", url.scheme()) };
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    let more = url.path().len() > 1
        || url.query().is_some()
        || !url.username().is_empty()
        || url.password().is_some();
    let more = if more { "/…" } else { "" };
    format!("{}://{host}{port}{more}", url.scheme())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_its_host_is_shown_and_nothing_that_may_be_a_key() {
        for (address, want) in [
            ("mqtt://10.0.0.1:1883", "mqtt://10.0.0.1:1883"),
            (
                "https://oapi.dingtalk.com/robot/send?access_token=abc",
                "https://oapi.dingtalk.com/…",
            ),
            ("http://user:word@proxy:3128", "http://proxy:3128/…"),
            ("https://hc-ping.com/2b1f", "https://hc-ping.com/…"),
            ("no address", "…"),
        ] {
            assert_eq!(host(address), want);
        }
    }

    /// Reads a configuration of which every setting is set: what `config/weir.toml` shows as an
    /// example is taken for one.
    fn whole() -> (toml::Table, Config) {
        let text = include_str!("../../../config/weir.toml");
        let is_key = |rest: &str| {
            let (key, _) = rest.split_once(" = ").unwrap_or_default();
            let plain = |letter: char| letter.is_alphanumeric() || letter == '_';
            let quoted = key.starts_with('"') && key.ends_with('"');
            !key.is_empty() && (quoted || key.chars().all(plain))
        };
        let line = |line: &str| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') || is_key(rest) => rest.to_owned(),
            Some(_) | None => line.to_owned(),
        };
        let text: String = text.lines().map(|one| line(one) + "\n").collect();
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("weir.toml");
        std::fs::write(&file, &text).unwrap();
        (text.parse().unwrap(), Config::read(&file).unwrap())
    }

    #[test]
    fn every_setting_of_the_configuration_is_shown_or_that_it_is_set() {
        let (table, config) = whole();
        let shown = settings(&config);
        let mut count = 0;
        let mut look = |name: &str, keys: &toml::Table| {
            for key in keys.keys() {
                // Files of several names have one line each, and the section has that of a broker.
                let is_it = |one: &&Setting| {
                    let begins = one.section.strip_prefix(name);
                    let of = begins.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
                    of && (one.key == *key || one.key.starts_with(&format!("{key}.")))
                };
                let is_name = matches!((name, &**key), ("[[broker]]", "network"))
                    || matches!((name, &**key), ("[[channel]]", "name"));
                let found = shown.iter().find(is_it);
                assert!(is_name || found.is_some(), "{name} {key} is not shown: {shown:?}");
                count += 1;
            }
        };
        for (name, value) in &table {
            if let Some(keys) = value.as_table() {
                look(&format!("[{name}]"), keys);
            } else if let Some(sections) = value.as_array() {
                let first = sections.first().and_then(toml::Value::as_table).unwrap();
                look(&format!("[[{name}]]"), first);
            } else {
                look("", &[(name.clone(), value.clone())].into_iter().collect());
            }
        }
        assert!(count > 100, "{count} settings");
    }

    #[test]
    fn no_secret_is_shown_wherever_it_stands() {
        let text = "seeds = \"s\"\n[[broker]]\nnetwork = \"r\"\nclient_id = \"w\"\n\
            url = \"mqtt://u:K3Y@h:1883\"\n[journal]\ndata_folder = \"d\"\n\
            [[channel]]\nname = \"c\"\nkind = \"http\"\nurl = \"https://h/K3Y?a=K3Y\"\n\
            proxy = \"http://a:K3Y@p:1\"\nheaders = { A = \"K3Y\" }\nbody = 'K3Y'\n\
            success_value = \"K3Y\"\nmention = [\"K3Y\"]\nkeyword = \"K3Y\"\nto = [\"K3Y\"]\n\
            from = \"K3Y\"\nuser = \"K3Y\"\n[[channel]]\nname = \"d\"\nkind = \"command\"\n\
            command = [\"/bin/x\", \"K3Y\"]\n[heartbeat]\nurl = \"https://h/K3Y\"\n\
            [contacts]\n\"C\" = \"K3Y\"\n";
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("weir.toml");
        std::fs::write(&file, text).unwrap();
        let config = Config::read(&file).unwrap();
        let shown = settings(&config);
        assert!(shown.iter().any(|one| one.section == "[[channel]] c" && one.key == "url"));
        for one in shown {
            assert!(!one.value.contains("K3Y"), "{one:?}");
        }
    }
}
