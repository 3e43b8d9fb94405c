//! Keys of devices that encrypt what they say (HJ 212-2025), read from the file that the section of
//! their broker names. What is encrypted is opened before the pipeline looks at it, so that the
//! journal plays again without any key.

use std::path::Path;

use crate::config::Config;
use crate::daemon::core::Core;
use crate::decode::hj212::Keys;
use crate::domain::fault::Fault;

/// Gives the core the keys of every broker's devices.
///
/// # Errors
/// Everything that is wrong with the files as they are now, whatever they were when they were
/// checked: without its keys nothing begins.
pub(super) fn open_with(core: &mut Core, config: &Config) -> anyhow::Result<()> {
    let mut told = Vec::new();
    for broker in &config.brokers {
        let Some(path) = &broker.hj212_keys_file else { continue };
        match read(path) {
            Ok(keys) => {
                let network = core.network(&broker.network);
                core.open_with(network, keys);
            }
            Err(faults) => told.extend(faults.iter().map(ToString::to_string)),
        }
    }
    anyhow::ensure!(told.is_empty(), "keys are refused:\n{}", told.join("\n"));
    Ok(())
}

/// Tells everything that is wrong with the files of keys.
pub(super) fn faults(config: &Config) -> Vec<Fault> {
    let paths = config.brokers.iter().filter_map(|broker| broker.hj212_keys_file.as_ref());
    paths.filter_map(|path| read(path).err()).flatten().collect()
}

/// Reads a file of keys, once.
fn read(path: &Path) -> Result<Keys, Vec<Fault>> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let (file, expected) = (file.clone(), "a file that weir may read".to_owned());
        vec![Fault { file, line: None, found: error.to_string(), expected }]
    })?;
    let fault = |(line, expected): (usize, &str)| Fault {
        file: file.clone(),
        line: Some(line as u64),
        found: "a line that is not shown".to_owned(),
        expected: expected.to_owned(),
    };
    Keys::read(&text).map_err(|lines| lines.into_iter().map(fault).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_refused() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("keys");
        let told = |faults: Vec<Fault>| faults.iter().map(Fault::to_string).collect::<String>();
        assert!(told(read(&file).unwrap_err()).contains("a file that weir may read"));
        std::fs::write(&file, "A1 0123456789abcdef\nA2 short\n").unwrap();
        let words = told(read(&file).unwrap_err());
        assert!(words.contains("keys:2: ") && !words.contains("short"), "{words}");
        std::fs::write(&file, "A1 0123456789abcdef\n").unwrap();
        assert!(read(&file).is_ok());
    }
}
