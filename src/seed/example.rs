//! The example seeds, carried in the program: neither the demonstration nor simulated devices need
//! a folder of them.

use crate::seed::Tables;

macro_rules! tables {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../seeds/", $name)))),*]
    };
}

const TABLES: [(&str, &str); 38] = tables![
    "aqi.csv",
    "aqi_editions.csv",
    "aqi_grades.csv",
    "averages.csv",
    "calendar.csv",
    "calibrations.csv",
    "checks.csv",
    "counters.csv",
    "cross_checks.csv",
    "derived.csv",
    "device_marks.csv",
    "devices.csv",
    "factors.csv",
    "grades.csv",
    "items.csv",
    "limits/GB12348-2008.csv",
    "limits/GB18918-2002.csv",
    "limits/GB3095-2012.csv",
    "limits/GB3095-2026.csv",
    "limits/GB3096-2008.csv",
    "limits/GB3838-2002.csv",
    "limits/GBT12325-2008.csv",
    "limits/GBT15945-2008.csv",
    "members.csv",
    "molar_masses.csv",
    "percentiles.csv",
    "places.csv",
    "production.csv",
    "profiles.csv",
    "properties.csv",
    "qc.csv",
    "reaches.csv",
    "reference_states.csv",
    "rules.csv",
    "stations.csv",
    "targets.csv",
    "topics.csv",
    "units.csv",
];

/// Gives the example seeds.
#[must_use]
pub fn tables() -> Tables {
    let mut tables = Tables::default();
    for (name, text) in TABLES {
        tables.put(name, text.as_bytes().to_vec());
    }
    tables
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::judgement::Judgement;

    #[test]
    fn they_are_those_of_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        let read = Tables::read(&folder).unwrap();
        let judgement = Judgement::default();
        assert_eq!(tables().digest(&judgement), read.digest(&judgement));
    }
}
