//! Configuration: any text is a configuration or a list of faults with their lines.

use weir::config::Config;

use super::says_something;

/// The most faults of one text: what the reader mends at most, and what is wrong otherwise.
const FAULTS_MAX: usize = 400;

pub(crate) fn body(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    // What a file of this machine holds is no matter of the target.
    if ["_file", "template", "_env"].iter().any(|key| text.contains(key)) {
        return;
    }
    let lines = text.lines().count().max(1) as u64 + 1;
    match Config::parse("weir.toml", &text) {
        Ok(config) => {
            assert!(!config.brokers.is_empty());
            assert!(config.brokers.iter().all(|broker| broker.faults().is_empty()));
            let settings = config.judgement().settings();
            assert!(settings.iter().all(|setting| *setting >= 0), "{settings:?}");
            assert!(!format!("{:?}", config.home()).is_empty());
        }
        Err(faults) => {
            assert!(!faults.is_empty() && faults.len() <= FAULTS_MAX, "{}", faults.len());
            for fault in &faults {
                assert!(fault.line.is_none_or(|line| (1..=lines).contains(&line)), "{fault}");
                assert!(!fault.expected.trim().is_empty(), "{fault}");
                says_something(fault.to_string().get(..200).unwrap_or(&fault.to_string()));
            }
            assert!(faults.is_sorted_by_key(|fault| fault.line));
        }
    }
}
