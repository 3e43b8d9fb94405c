//! GB 3838-2002: tables 2 and 3, and how limits of table 1 are held against values.

use weir::domain::assessment::Bound;
use weir::domain::observation::Period;

use crate::{compiled, in_force, judged, registry, tables, words};

#[test]
fn gb_3838_2002_tables_2_and_3_drinking_water_sources() {
    let registry = registry();
    for (property, want) in [
        ("sulphate", 250.0),
        ("chloride", 250.0),
        ("nitrate_nitrogen", 10.0),
        ("iron", 0.3),
        ("manganese", 0.1),
        ("nickel", 0.02),
        ("antimony", 0.005),
        ("thallium", 0.0001),
        ("molybdenum", 0.07),
        ("cobalt", 1.0),
        ("beryllium", 0.002),
        ("boron", 0.5),
        ("barium", 0.7),
        ("vanadium", 0.05),
        ("titanium", 0.1),
        ("microcystin_lr", 0.001),
    ] {
        let key = (property, "drinking-source", "any");
        let found = in_force(&registry, "GB 3838-2002", key, "2026-06-01T00:00:00+08:00");
        assert_eq!(found.len(), 1, "{property}");
        assert_eq!(found[0].bound, Bound::Max(want), "{property}");
    }
}

#[test]
fn gb_3838_2002_table_2_holds_beside_the_class_of_a_source() {
    let mut tables = tables();
    let mut lay = |table: &str, more: &str, column: &str, cell: &str| {
        let text = String::from_utf8(tables.get(table).unwrap().to_vec()).unwrap();
        let rows = text.lines().enumerate().map(|(at, line)| match (at, column) {
            (_, "") => format!("{line}\n"),
            (0, _) => format!("{line},{column}\n"),
            (_, _) => format!("{line},{}\n", if line.starts_with("hunhe-d") { cell } else { "" }),
        });
        tables.put(table, format!("{}{more}", rows.collect::<String>()).into_bytes());
    };
    lay("stations.csv", "", "other_classes", "drinking-source");
    let channel = |property: &str| {
        format!(
            "intake,x,{property},,/{property},mg/L,1,number,continuous,,,instant,,60s,,made for a \
             test\n"
        )
    };
    let channels = [channel("nitrate_nitrogen"), channel("ammonia_nitrogen")].concat();
    lay("profiles.csv", &channels, "", "");
    let device = |name, station| format!("rivers,{name},{station},,intake,device,,,,,,a test\n");
    let devices = [device("intake-1", "hunhe-dongling"), device("intake-2", "beiyun-beiling")];
    // The other station has ammonia of its own already.
    let devices = devices.concat().replace("beiyun-beiling,,", "beiyun-beiling,intake,");
    lay("devices.csv", &devices, "", "");
    let registry = compiled(&tables);
    let told = |stream: &str, value| {
        let case = (Period::Native, value, "2026-06-01T00:00:00+08:00");
        words(&registry, judged(&registry, stream, case, None))
    };
    assert_eq!(told("hunhe-dongling/nitrate_nitrogen", 10.0), "within 10");
    assert_eq!(told("hunhe-dongling/nitrate_nitrogen", 11.0), "exceeds 10 by 0.100");
    assert_eq!(told("hunhe-dongling/ammonia_nitrogen", 1.62), "exceeds 1.5 by 0.080");
    assert_eq!(told("beiyun-beiling/intake/nitrate_nitrogen", 11.0), "no_limit");
}
