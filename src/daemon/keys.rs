//! Keys of devices that encrypt what they say (HJ 212-2025), read from the file that the section of
//! their broker names. What is encrypted is opened before the pipeline looks at it, so that the
//! journal plays again without any key.

use crate::config::Config;
use crate::daemon::core::Core;
use crate::decode::hj212::Keys;
use crate::domain::fault::Fault;

/// Gives the core the keys of every broker's devices.
///
/// # Errors
/// Everything that is wrong with the files.
pub(super) fn open_with(core: &mut Core, config: &Config) -> anyhow::Result<()> {
    let faults = faults(config);
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    anyhow::ensure!(told.is_empty(), "keys are refused:\n{}", told.join("\n"));
    for broker in &config.brokers {
        if let Some(Ok(text)) = broker.hj212_keys_file.as_ref().map(std::fs::read_to_string) {
            let network = core.network(&broker.network);
            core.open_with(network, Keys::read(&text).unwrap_or_default());
        }
    }
    Ok(())
}

/// Tells everything that is wrong with the files of keys.
pub(super) fn faults(config: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    for path in config.brokers.iter().filter_map(|broker| broker.hj212_keys_file.as_ref()) {
        let file = path.display().to_string();
        match std::fs::read_to_string(path).map(|text| Keys::read(&text)) {
            Err(error) => {
                let (found, expected) = (error.to_string(), "a file that weir may read".to_owned());
                faults.push(Fault { file, line: None, found, expected });
            }
            Ok(Ok(_)) => {}
            Ok(Err(lines)) => faults.extend(lines.into_iter().map(|(line, expected)| Fault {
                file: file.clone(),
                line: Some(line as u64),
                found: "a line that is not shown".to_owned(),
                expected: expected.to_owned(),
            })),
        }
    }
    faults
}
