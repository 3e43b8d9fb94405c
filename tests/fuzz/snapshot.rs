//! Snapshots: any slices and any closing part are an error or a state that is written as it is.

use std::sync::Arc;

use weir::domain::input::{Arrival, Input};
use weir::pipeline::{Processed, snapshot};

use super::{EXAMPLE, Feed, says_something};

/// Takes bytes that may be many behind their length in two bytes.
fn long<'a>(feed: &mut Feed<'a>) -> &'a [u8] {
    let length = usize::from(u16::from_le_bytes([feed.byte(), feed.byte()]));
    let (bytes, rest) = feed.0.split_at(length.min(feed.0.len()));
    feed.0 = rest;
    bytes
}

pub(crate) fn body(bytes: &[u8]) {
    let mut feed = Feed(bytes);
    let closing = long(&mut feed);
    let mut slices = Vec::new();
    while !feed.is_empty() {
        let station: [u8; 4] = std::array::from_fn(|_| feed.byte());
        slices.push((u32::from_le_bytes(station), long(&mut feed).to_vec()));
    }
    let header = match snapshot::header(closing) {
        Ok(header) => header,
        Err(error) => return says_something(&error.to_string()),
    };
    let mut pipeline = match snapshot::restore(&EXAMPLE, &slices, closing) {
        Ok(pipeline) => pipeline,
        Err(error) => return says_something(&error.to_string()),
    };
    let state = pipeline.state();
    assert!(state.stations.len() <= EXAMPLE.stations.len());
    let written = snapshot::closing(state, &header.edition, header.at);
    let again = snapshot::header(&written).unwrap();
    assert_eq!((&again.edition, again.at), (&header.edition, header.at));
    let of_stations = |pipeline: &weir::pipeline::Pipeline| -> Vec<(u32, Vec<u8>)> {
        let stations = pipeline.state().stations.iter().zip(0_u32..);
        stations.filter_map(|(one, id)| Some((id, snapshot::slice(one.as_deref()?)))).collect()
    };
    let slices = of_stations(&pipeline);
    let other = snapshot::restore(&EXAMPLE, &slices, &written).unwrap();
    assert_eq!(of_stations(&other), slices);
    pipeline.process(&Arrival { at: header.at, input: Input::Tick }, &mut Processed::default());
    assert!(Arc::ptr_eq(pipeline.registry(), &EXAMPLE));
}
