//! A format on which weir breaks as its payload asks: JSON, but for a payload that begins with
//! `!panic` or `!abort`. Nothing real breaks weir on demand, and what must hold when something does
//! is to be seen in a real process. Only builds with debug assertions have it, which tests run; a
//! release has no such word for `topics.csv` and none of this code.

/// Breaks, if the payload asks for it.
#[expect(clippy::panic, reason = "that is what it is for")]
pub(super) fn obey(payload: &[u8]) {
    if payload.starts_with(b"!panic") {
        panic!("broken by a payload that asks for it");
    }
    if payload.starts_with(b"!abort") {
        std::process::abort();
    }
}
