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
