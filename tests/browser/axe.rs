//! Whom a page leaves out: axe-core asks it in the browser itself.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::driver::Browser;

/// The rules of axe-core, installed first where they are missing.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = Command::new(root.join("tests/browser/install")).output().unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    std::fs::read_to_string(root.join("target/browser/node_modules/axe-core/axe.min.js")).unwrap()
});

/// Asks WCAG 2.2 A and AA and what axe holds for good practice.
const ASK: &str = "const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'] }).then((found) => done({
        rules: found.passes.length,
        faults: found.violations.flatMap((rule) => rule.nodes.map((node) =>
            `${rule.impact} ${rule.id}: ${rule.help}: ${node.target.join(' ')}: ${node.html}`)),
    }), (error) => done({ rules: 0, faults: [String(error)] }));";

/// A page leaves nobody out.
#[track_caller]
pub fn nobody_is_left_out(browser: &Browser, page: &str) {
    browser.run(&AXE, &[]);
    let answer = browser.run_slow(ASK, &[]);
    let faults: Vec<&str> =
        answer["faults"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(faults.is_empty(), "{page}:\n{}", faults.join("\n"));
    assert!(answer["rules"].as_u64() > Some(10), "{page}: axe has looked at nothing: {answer}");
}
