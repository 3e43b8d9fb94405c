//! The targets of `tests/fuzz/` under libFuzzer; `WEIR_FUZZ_TARGET` names the one that is run.
#![no_main]
#![allow(unreachable_pub, dead_code, reason = "the plain test uses more of it")]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/fuzz/targets.rs"]
mod targets;

static BODY: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("WEIR_FUZZ_TARGET").expect("WEIR_FUZZ_TARGET names a target");
    let target = targets::TARGETS.iter().find(|target| target.name == name);
    target.unwrap_or_else(|| panic!("no target `{name}`")).body
});

fuzz_target!(|bytes: &[u8]| BODY(bytes));
