//! Editions on their way: from a folder or the journal to a registry, and into the journal with
//! the settings that they were judged by.

use std::sync::Arc;

use crate::domain::fault::Fault;
use crate::domain::judgement::Judgement;
use crate::domain::name::Names;
use crate::domain::registry::Registry;
use crate::seed::{self, Tables};

/// An edition as the journal keeps it: the settings of `[judgement]`, the networks, the tables.
#[derive(Clone, Debug)]
pub struct Edition {
    /// The settings.
    pub judgement: Judgement,
    /// The networks of the configuration at that time.
    pub networks: Vec<String>,
    /// The tables.
    pub tables: Tables,
}

/// The bytes of the journal are none of an edition.
#[derive(Debug, thiserror::Error)]
#[error("edition in the journal can't be read: {0}")]
pub struct Damaged(String);

impl Edition {
    /// Compiles the edition.
    ///
    /// # Errors
    /// Everything that is wrong with its tables.
    pub fn compile(&self, names: &mut Names) -> Result<Arc<Registry>, Vec<Fault>> {
        seed::compile(&self.tables, self.judgement, &self.networks, names).map(Arc::new)
    }

    /// Writes the edition for the journal.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let tables = minicbor::bytes::ByteVec::from(self.tables.to_bytes());
        // Writing into memory can't fail.
        minicbor::to_vec((self.judgement.settings(), &self.networks, tables)).unwrap_or_default()
    }

    /// Reads what [`Edition::to_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are none of an edition.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        type Parts = (Vec<i64>, Vec<String>, minicbor::bytes::ByteVec);
        let (settings, networks, tables): Parts =
            minicbor::decode(bytes).map_err(|error| Damaged(error.to_string()))?;
        let judgement = Judgement::from_settings(&settings);
        let tables = Tables::from_bytes(&tables).map_err(|fault| Damaged(fault.to_string()))?;
        Ok(Self { judgement, networks, tables })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edition_that_a_release_with_fewer_settings_kept_is_read_as_it_was_meant() {
        let settings = [93_600_000_i64, 300_000, 86_400_000, 600_000, 2_678_400_000];
        let mut tables = Tables::default();
        tables.put("units.csv", b"unit".to_vec());
        let packed = minicbor::bytes::ByteVec::from(tables.to_bytes());
        let before = minicbor::to_vec((settings, vec!["rivers"], packed)).unwrap();
        let edition = Edition::from_bytes(&before).unwrap();
        assert!(!edition.judgement.round_periods, "that release rounded nothing");
        assert_eq!(edition.judgement.lateness_horizon_ms, settings[0]);
        assert_eq!(edition.to_bytes(), before, "so it keeps its digest");
        let now = Edition { judgement: Judgement::default(), ..edition };
        assert_eq!(Edition::from_bytes(&now.to_bytes()).unwrap().judgement, now.judgement);
        assert_ne!(
            now.tables.digest(&now.judgement),
            now.tables.digest(&Judgement { round_periods: false, ..now.judgement })
        );
    }
}
