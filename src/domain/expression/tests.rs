//! What expressions mean, and which are refused.

use super::*;
use crate::domain::unit::ratio;

/// Units as in the example's table.
fn units() -> Units {
    let mut units = Units::default();
    for (name, dimension, factor, add, base) in [
        ("1", "fraction", 1.0, 0.0, "1"),
        ("%", "fraction", 0.01, 0.0, ""),
        ("mg/L", "mass_concentration", 1.0, 0.0, "g m-3"),
        ("ug/L", "mass_concentration", 0.001, 0.0, ""),
        ("m3/s", "volume_flow", 1.0, 0.0, "m3 s-1"),
        ("g/s", "mass_flow", 1.0, 0.0, "g s-1"),
        ("kg/h", "mass_flow", 0.277_777_777_777_777_8, 0.0, ""),
        ("Pa", "pressure", 1.0, 0.0, "kg m-1 s-2"),
        ("V", "voltage", 1.0, 0.0, "kg m2 s-3 A-1"),
        ("A", "current", 1.0, 0.0, "A"),
        ("kW", "active_power", 1000.0, 0.0, "kg m2 s-3"),
        ("Cel", "temperature", 1.0, 0.0, ""),
        ("K", "temperature", 1.0, -273.15, ""),
        ("pH", "acidity", 1.0, 0.0, ""),
    ] {
        let (multiply, divide) = ratio(factor);
        units
            .add(
                Unit { name: name.into(), dimension: dimension.into(), multiply, divide, add },
                &[],
            )
            .unwrap();
        if !base.is_empty() {
            units.set_base(dimension, Base::read(base).unwrap()).unwrap();
        }
    }
    units
}

const INPUTS: [(&str, &str); 9] = [
    ("ammonia_nitrogen", "mg/L"),
    ("chlorophyll_a", "ug/L"),
    ("flow", "m3/s"),
    ("water_temperature", "Cel"),
    ("ph", "pH"),
    ("humidity", "%"),
    ("L1/voltage", "V"),
    ("L1/current", "A"),
    ("pressure", "Pa"),
];

fn compiled(text: &str, result: &str) -> Result<Expression, Vec<Wrong>> {
    let units = units();
    let mut find = |named: Named<'_>| {
        let name = match named {
            Named::Property(name) => name.to_owned(),
            Named::At(position, property) => format!("{position}/{property}"),
            Named::Whole(name) => name.strip_prefix("here/").unwrap_or(name).to_owned(),
        };
        let place = INPUTS.iter().position(|(held, _)| *held == name);
        let place = place.ok_or_else(|| Some(wrong(format!("`{name}`"), "a known name")))?;
        let id = DatastreamId(u32::try_from(place).unwrap());
        Ok((id, units.find(INPUTS[place].1).unwrap()))
    };
    Expression::compile(text, &units, units.find(result).unwrap(), &mut find)
}

/// Asserts what an expression gives for its inputs, in the order of their first naming.
#[track_caller]
fn check(text: &str, result: &str, inputs: &[f64], want: Option<f64>) {
    let number = compiled(text, result).unwrap().evaluate(inputs);
    match (number, want) {
        (Some(number), Some(want)) => {
            assert!((number - want).abs() <= want.abs() * 1e-9, "{number} is not {want}");
        }
        (number, want) => assert_eq!(number, want),
    }
}

/// Asserts that an expression is refused, and what the first fault says.
#[track_caller]
fn refused(text: &str, result: &str, found: &str, expected: &str) {
    let wrongs = compiled(text, result).unwrap_err();
    assert!(wrongs.iter().any(|one| one.found.contains(found)), "{wrongs:#?}");
    assert!(wrongs.iter().any(|one| one.expected.contains(expected)), "{wrongs:#?}");
}

const DEW_POINT: &str = "quantity(243.12 * (ln(humidity) + 17.62 * number(water_temperature, \
    \"Cel\") / (243.12 + number(water_temperature, \"Cel\"))) / (17.62 - ln(humidity) - 17.62 * \
    number(water_temperature, \"Cel\") / (243.12 + number(water_temperature, \"Cel\"))), \"Cel\")";
const UNIONISED: &str = "ammonia_nitrogen / (1 + pow(10, 0.09018 + 2729.92 / \
    number(water_temperature, \"K\") - number(ph, \"pH\")))";

#[test]
fn a_load_is_concentration_times_flow() {
    check("ammonia_nitrogen * flow", "g/s", &[1.62, 40.0], Some(64.8));
    check("ammonia_nitrogen * flow", "kg/h", &[1.62, 40.0], Some(233.28));
    check("flow * chlorophyll_a", "g/s", &[40.0, 1620.0], Some(64.8));
}

#[test]
fn an_integer_is_a_double() {
    check("ammonia_nitrogen * 3 / 2 + ammonia_nitrogen * 0.5", "mg/L", &[2.0], Some(4.0));
    check("-ammonia_nitrogen * -2", "mg/L", &[2.0], Some(4.0));
}

#[test]
fn un_ionised_ammonia_after_emerson() {
    // With pencil and paper: at 25 Cel pKa is 0.09018 + 2729.92 / 298.15 = 9.2464, and 1 of
    // 1 + 10^1.2464 = 18.64 is un-ionised at pH 8.0. At 10 Cel it is 9.7315, and 1 of 539.8 at
    // pH 7.0.
    let expression = compiled(UNIONISED, "mg/L").unwrap();
    let part = |celsius, ph| expression.evaluate(&[100.0, celsius, ph]).unwrap();
    assert!((part(25.0, 8.0) - 5.366).abs() < 0.001, "{}", part(25.0, 8.0));
    assert!((part(10.0, 7.0) - 0.1852).abs() < 0.0001, "{}", part(10.0, 7.0));
}

#[test]
fn a_dew_point_after_magnus() {
    let expression = compiled(DEW_POINT, "Cel").unwrap();
    let dew = |humidity, celsius| expression.evaluate(&[humidity, celsius]);
    assert!((dew(100.0, 20.0).unwrap() - 20.0).abs() < 1e-9);
    // With pencil and paper: ln 0.5 + 17.62 * 20 / 263.12 = 0.64616, and 243.12 * 0.64616 /
    // (17.62 - 0.64616) = 9.255.
    assert!((dew(50.0, 20.0).unwrap() - 9.255).abs() < 0.001, "{:?}", dew(50.0, 20.0));
    assert_eq!(dew(0.0, 20.0), None, "no logarithm of nothing");
}

#[test]
fn power_is_volts_times_amperes() {
    check("at(\"L1\", \"voltage\") * at(\"L1\", \"current\")", "kW", &[230.0, 10.0], Some(2.3));
    check("sqrt(flow * flow)", "m3/s", &[3.0], Some(3.0));
}

#[test]
fn a_datastream_has_a_whole_name() {
    let expression = compiled("datastream(\"here/flow\") + flow * 0", "m3/s").unwrap();
    assert_eq!(expression.inputs().len(), 1, "named twice, it is one input");
    assert_eq!(expression.evaluate(&[4.0]), Some(4.0));
}

#[test]
fn what_is_no_number_is_no_value() {
    check("ammonia_nitrogen / humidity", "mg/L", &[1.0, 0.0], None);
    check("quantity(ln(humidity), \"mg/L\")", "mg/L", &[-1.0], None);
    check("quantity(exp(humidity), \"mg/L\")", "mg/L", &[1e6], None);
    check("quantity(max(ln(humidity), 0), \"mg/L\")", "mg/L", &[-1.0], None);
}

#[test]
fn units_that_do_not_fit_are_refused() {
    let one = "two of one dimension";
    refused("ammonia_nitrogen + water_temperature", "mg/L", "`+` temperature", one);
    refused("ammonia_nitrogen + flow", "mg/L", "mass_concentration `+` volume_flow", one);
    refused("ammonia_nitrogen + 1", "mg/L", "mass_concentration `+` a plain number", one);
    refused("ammonia_nitrogen * water_temperature", "g/s", "`*` temperature", "a `base`");
    refused("ammonia_nitrogen * flow", "mg/L", "gives mass_flow", "a result in `mg/L`");
    refused("ammonia_nitrogen * flow * flow", "g/s", "gives g m3 s-2", "a result in `g/s`");
    refused("ln(flow)", "1", "`ln` of volume_flow", "a plain number");
    refused("pow(flow, 2)", "m3/s", "volume_flow `pow` a plain number", "plain numbers");
    refused("number(flow, \"mg/L\")", "1", "`number` of volume_flow", "a unit of volume_flow");
    refused("quantity(flow, \"mg/L\")", "mg/L", "`quantity` of volume_flow", "a plain number");
    refused("number(flow, \"m3/s\")", "mg/L", "gives a plain number", "`quantity(x, \"mg/L\")`");
    refused("sqrt(flow)", "1", "`sqrt` of volume_flow", "a plain number");
    refused("water_temperature - water_temperature", "Cel", "temperature `-`", "a `base`");
}

#[test]
fn what_is_no_arithmetic_is_refused() {
    refused("flow *", "m3/s", "at character", "an expression such as");
    refused("", "m3/s", "at character", "an expression such as");
    refused("flow > 3", "m3/s", "`>` in", "names, numbers");
    refused("[flow]", "m3/s", "`[` in", "names, numbers");
    refused("flow.rate", "m3/s", "`.rate`", "a name such as");
    refused("flow.max(flow)", "m3/s", "`.max(…)`", "a function of its arguments");
    refused("true", "m3/s", "true, false", "a number");
    refused("\"flow\"", "m3/s", "the text `flow`", "a number");
    refused("tan(flow)", "m3/s", "`tan` of 1", "`ln`");
    refused("ln(flow, flow)", "m3/s", "`ln` of 2", "of one");
    refused("at(L1, voltage)", "V", "`at` without two texts", "`at(\"L1\"");
    refused("number(flow, 3)", "1", "`number` without a unit", "`number(x");
    refused("number(flow, \"bucket\")", "1", "`bucket`", "a unit of units.csv");
    refused("flo", "m3/s", "`flo`", "a known name");
    refused("quantity(3, \"m3/s\")", "m3/s", "numbers only", "the name of a datastream");
    refused("flow / (2 - 2)", "m3/s", "a division by zero", "other than zero");
    refused("flow * ln(0)", "m3/s", "no finite value", "a number in every part");
    refused("flow * 1e999", "m3/s", "invalid double literal", "an expression such as");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let wrongs = compiled("flo + pow(flow, 2) + tan(flow)", "m3/s").unwrap_err();
    assert_eq!(wrongs.len(), 3, "{wrongs:#?}");
}

#[test]
fn an_expression_without_end_is_refused() {
    let long = |bytes: usize| format!("flow{}", " ".repeat(bytes - 4));
    check(&long(EXPRESSION_BYTES_MAX), "m3/s", &[2.0], Some(2.0));
    refused(&long(EXPRESSION_BYTES_MAX + 1), "m3/s", "1025 bytes", "at most 1024");
    let terms = |signs: usize| format!("flow{}", "+flow".repeat(signs));
    check(&terms(EXPRESSION_SIGNS_MAX), "m3/s", &[2.0], Some(2.0 * 97.0));
    refused(&terms(EXPRESSION_SIGNS_MAX + 1), "m3/s", "97 operators", "at most 96");
    let deep = |depth: usize| format!("{}flow{}", "(".repeat(depth), ")".repeat(depth));
    check(&deep(EXPRESSION_DEPTH_MAX), "m3/s", &[2.0], Some(2.0));
    refused(&deep(EXPRESSION_DEPTH_MAX + 1), "m3/s", "7 brackets", "at most 6");
    // As many numbers wait as can.
    let wait = |depth: usize| {
        let open = "max(flow, flow + 2 * ".repeat(depth);
        format!("{open}flow{}", ")".repeat(depth))
    };
    check(&wait(EXPRESSION_DEPTH_MAX), "m3/s", &[2.0], Some(254.0));
    // The parser must not follow what is refused, however deep.
    refused(&deep(90), "m3/s", "90 brackets", "at most 6");
    refused(&deep(500), "m3/s", "500 operators", "at most 96");
    refused(&"-".repeat(900), "m3/s", "900 operators", "at most 96");
    refused(&format!("flow{}", ".a".repeat(400)), "m3/s", "400 operators", "at most 96");
}

#[test]
fn an_expression_takes_so_many_datastreams() {
    let sum = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("datastream(\"any/{n}\")")).collect();
        let units = units();
        let unit = units.find("m3/s").unwrap();
        let mut find = |named: Named<'_>| match named {
            Named::Whole(name) => {
                let number = name.rsplit('/').next().and_then(|number| number.parse().ok());
                Ok((DatastreamId(number.unwrap()), unit))
            }
            Named::Property(_) | Named::At(..) => Err(None),
        };
        Expression::compile(&names.join(" + "), &units, unit, &mut find)
    };
    let most = sum(EXPRESSION_INPUTS_MAX).unwrap();
    assert_eq!(most.evaluate(&[1.0; EXPRESSION_INPUTS_MAX]), Some(8.0));
    let wrongs = sum(EXPRESSION_INPUTS_MAX + 1).unwrap_err();
    assert_eq!(wrongs, [wrong("one datastream more", "at most 8")]);
}

#[test]
fn ten_thousand_evaluations_allocate_nothing() {
    let expression = compiled(UNIONISED, "mg/L").unwrap();
    let allocated = allocation_counter::measure(|| {
        let sum: f64 =
            (0..10_000).filter_map(|n| expression.evaluate(&[1.0, f64::from(n % 30), 7.0])).sum();
        assert!(sum > 0.0);
    });
    assert_eq!(allocated.count_total, 0);
}
